"""`hyperparton confirm`: the best trials of a scan that is done, fitted again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hyperparton.cli.options import DURATION, log_json_option, store_timeout_option, store_url, theory_options
from hyperparton.cli.progress import EventLog, make_display, show_warnings
from hyperparton.cli.scan import conclude, faults_of_node
from hyperparton.errors import StoreError
from hyperparton.host import end_on_signals

__all__ = ["confirm"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--top",
    "confirm",
    type=click.IntRange(min=2),
    metavar="K",
    help="How many of the best trials take part. Default: so many that it takes no more fits than the scan.",
)
@click.option(
    "--runcard",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The scan's runcard, beside which a trainer of your own lies. Default: the copy in DIR.",
)
@click.option("--workers", "-w", type=click.IntRange(min=1), metavar="W", help="Fits at once, in processes here.")
@click.option("--scheduler", metavar="ADDRESS", help="Run the fits on the Dask cluster whose scheduler is there.")
@click.option(
    "--store",
    metavar="URL",
    callback=store_url,
    help="The database that the scan joined; for n3fit's, one to share the fits.",
)
@store_timeout_option
@log_json_option
@click.option("--walltime", type=DURATION, help="End in time, with exit code 4; the same command continues.")
@theory_options
def confirm(
    directory: Path,
    runcard: Path | None,
    log_json: Path | None,
    theory: Path | None,
    t0pdfset: str | None,
    **options: Any,
) -> None:
    """Fit the best trials of the scan in DIR again, with replicas that it has not used, and name the best of them.

    The scan is hyperparton's or n3fit's. Run again, it continues; with a larger K more trials take part.
    """
    end_on_signals()
    from hyperparton.host import seconds_since_start
    from hyperparton.scan.limits import Limits
    from hyperparton.scan.settings import Execution, taken_from
    from hyperparton.workflow.confirm import confirm_scan

    options = {name: value for name, value in options.items() if value is not None}
    limits = taken_from(options, Limits).after(seconds_since_start())
    with make_display() as display, EventLog(log_json, display.say) as log, faults_of_node():
        show_warnings(display, False)

        def progress(event: dict[str, Any]) -> None:
            display.scan(event)
            if event["event"] not in ("note", "refit_progress"):
                log.write(event)

        execution = Execution(limits=limits, **options)
        best = confirm_scan(
            directory, runcard=runcard, execution=execution, progress=progress, theory=theory, t0pdfset=t0pdfset
        )
    conclude(directory, best, runcard)
    if log.fault is not None:
        raise StoreError(f"{log.fault}: events are missing from this log; the scan itself is whole")
