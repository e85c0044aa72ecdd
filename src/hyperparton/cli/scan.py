"""`hyperparton scan`: the main job."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hyperparton.cli.options import (
    DURATION,
    MEMORY,
    OptionOf,
    log_json_option,
    replicas_option,
    runcard_argument,
    store_timeout_option,
    store_url,
    theory_options,
)
from hyperparton.cli.progress import EventLog, make_display, show_warnings
from hyperparton.cli.streams import terminal_width
from hyperparton.errors import HyperpartonError, NodeError, PDFSetError, StoreError, TheoryError, is_of_node
from hyperparton.host import end_on_signals
from hyperparton.runcard.card import N3FIT

__all__ = ["conclude", "faults_of_node", "scan"]

#: events that are shown and not written into the log of events
_SHOWN_ONLY = ("note", "trial_progress", "refit_progress")


class _EngineOption(OptionOf):
    """An option whose help lists the engines; they are loaded when it is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from hyperparton.engines import ENGINES

        self.help = f"{', '.join(ENGINES)}; NAME+sobol starts with a Sobol sequence."
        return super().get_help_record(ctx)


def _known_engine(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    from hyperparton.engines import check_engine
    from hyperparton.errors import EngineError

    try:
        check_engine(name)
    except EngineError as fault:
        raise click.BadParameter(str(fault)) from None
    return name


@click.command()
@runcard_argument
@click.option(
    "--trials", type=click.IntRange(min=1), required=True, help="Trials in total, those done before included."
)
@replicas_option
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Default: the runcard's stem.")
@click.option(
    "--engine",
    cls=_EngineOption,
    field="hyperparton.scan.settings:ScanSettings.engine",
    metavar="NAME",
    callback=_known_engine,
)
@click.option(
    "--seed",
    cls=OptionOf,
    field="hyperparton.scan.settings:ScanSettings.seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Seed of the scan.",
)
@log_json_option
@click.option("--verbose", "-v", is_flag=True, help="Show the parameters of each trial too.")
@click.option("--workers", "-w", type=click.IntRange(min=1), metavar="W", help="Trials at once, in processes here.")
@click.option(
    "--batch-trials",
    cls=OptionOf,
    field="hyperparton.scan.settings:Execution.batch_trials",
    type=click.IntRange(min=1),
    metavar="B",
    help="Trials that are trained together, by each worker: for an accelerator, or small fits.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Run the trials on the Dask cluster whose scheduler is there.")
@click.option(
    "--store",
    metavar="URL",
    callback=store_url,
    help="Join the scan in a database: postgresql://…, mongodb://… or sqlite:///FILE. Any number of processes may.",
)
@store_timeout_option
@click.option(
    "--lag",
    type=click.IntRange(min=1),
    help="Suggest trial n from the trials up to n - LAG. Default: the trials at once; at least 16 with --store.",
)
@click.option(
    "--prune/--no-prune",
    default=None,
    help="Stop trials that cannot become one of the best. Default: hyperscan_config.prune, else not.",
)
@click.option(
    "--from",
    "warm_start",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Trials of an earlier scan that the engine learns from; may be given again. Default: use_tries_from.",
)
@click.option("--target-loss", type=float, metavar="L", help="End when the best loss is at most L, with exit code 0.")
@click.option("--patience", type=click.IntRange(min=1), metavar="K", help="End after K trials without a better loss.")
@click.option("--max-time", type=DURATION, help="End when the scan has worked so long, earlier starts included.")
@click.option(
    "--min-improvement",
    type=click.FloatRange(min=0, min_open=True),
    metavar="D",
    help="End when the engine expects to improve the loss by less than D; for engines that can tell.",
)
@click.option("--trial-timeout", type=DURATION, help="A trial that takes longer fails and its process is ended.")
@click.option("--worker-memory", type=MEMORY, help="A trial whose process holds more fails and its process is ended.")
@click.option("--max-consecutive-failures", type=click.IntRange(min=1), metavar="K", help="End after K in a row.")
@click.option("--trainer", type=click.Choice([N3FIT]), help="Whose fits, in place of the card's own `trainer`.")
@click.option(
    "--like-n3fit",
    is_flag=True,
    help="Take n3fit's own search space, and the engine hyperopt unless another is named: n3fit's draws for a seed.",
)
@click.option(
    "--confirm",
    cls=OptionOf,
    field="hyperparton.scan.settings:Execution.confirm",
    type=click.IntRange(min=2),
    metavar="K",
    help="How many of the best trials are fitted again at the end. Default: so many that it takes no more fits than "
    "the scan.",
)
@click.option("--no-confirm", is_flag=True, help="Fit none of the trials again.")
@click.option(
    "--report", "with_report", is_flag=True, help="Write the report at the end, as `hyperparton report DIR` does."
)
@click.option("--walltime", type=DURATION, help="End in time, with exit code 4, and release the running trials.")
@theory_options
def scan(
    runcard: Path,
    trials: int,
    replicas: int,
    output: Path | None,
    log_json: Path | None,
    verbose: bool,
    theory: Path | None,
    t0pdfset: str | None,
    trainer: str | None,
    like_n3fit: bool,
    no_confirm: bool,
    with_report: bool,
    **options: Any,
) -> None:
    """Scan the hyperparameters of RUNCARD. Run again on the same output, it continues to N trials in total."""
    end_on_signals()
    # here: the options are known before numpy is loaded
    from hyperparton.host import seconds_since_start
    from hyperparton.scan.early_stop import EarlyStopping
    from hyperparton.scan.limits import Limits
    from hyperparton.scan.settings import Execution, ScanSettings, taken_from
    from hyperparton.workflow.scan import scan_runcard

    if no_confirm:
        if options["confirm"] is not None:
            raise click.UsageError("--confirm and --no-confirm exclude each other")
        options["confirm"] = 0
    options = {name: value for name, value in options.items() if value is not None}
    if like_n3fit:
        options = {"engine": "hyperopt", **options}
    settings = taken_from(options, ScanSettings)
    # the walltime counts from the start of the process
    limits = taken_from(options, Limits).after(seconds_since_start())
    early_stopping = taken_from(options, EarlyStopping)
    execution = Execution(limits=limits, early_stopping=early_stopping, **options)
    folder = output if output is not None else Path(runcard.stem)
    with make_display(verbose) as display, EventLog(log_json, display.say) as log, faults_of_node():
        show_warnings(display, verbose)

        def progress(event: dict[str, Any]) -> None:
            display.scan(event)
            if event["event"] not in _SHOWN_ONLY:
                log.write(event)

        best = scan_runcard(
            runcard,
            folder,
            trials,
            replicas,
            settings=settings,
            execution=execution,
            progress=progress,
            theory=theory,
            t0pdfset=t0pdfset,
            trainer=trainer,
            like_n3fit=like_n3fit,
        )
    conclude(folder, best)
    _go_on(folder, with_report)
    if log.fault is not None:
        raise StoreError(f"{log.fault}: events are missing from this log; the scan itself is whole")


@contextlib.contextmanager
def faults_of_node() -> Iterator[None]:
    """A NodeError, which has an exit code of its own, for what another machine may have: theories, PDF sets, room."""
    try:
        yield
    except HyperpartonError as fault:
        if isinstance(fault, TheoryError | PDFSetError) or is_of_node(fault):
            node = NodeError(str(fault))
            node.faults = fault.faults
            raise node from fault
        raise


def _go_on(directory: Path, with_report: bool) -> None:
    """Write the report if it is asked for, and say what comes next."""
    if with_report:
        from hyperparton.cli.report import usual_report

        click.echo(f"report: {usual_report(directory)}")
        return
    place = shlex.quote(str(directory))
    click.echo("\nnext: a page on this scan, its figures and tables")
    click.echo(f"  hyperparton report {place}")


def conclude(directory: Path, best: dict[str, Any], runcard: Path | None = None) -> None:
    """Say how the scan in `directory` went, and which parameters are the best.

    `runcard` is its card, by default the copy in the folder.
    """
    from hyperparton.report.tables import best_text, parameters_block
    from hyperparton.report.verdicts import named, verdict_text
    from hyperparton.trials.refits import read_refits
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.tries_read import read_trials
    from hyperparton.trials.verdict import by_verdict, verdicts
    from hyperparton.workflow.own import own_trial
    from hyperparton.workflow.ranges import found_edges

    width = terminal_width()
    place = ScanFolder.find_all(directory)[0]
    trials = read_trials(place.tries, keep=lambda trial: trial.without_arrays())
    found = verdicts(read_refits(place.tries, trials))
    click.echo(best_text(trials, top=1, width=width))
    if found:
        click.echo(f"\n{verdict_text(found, width, own_trial(place, trials, runcard))}\n")
    _, at_ends = found_edges(place, trials, by_verdict(trials, found)[0], directory, runcard=runcard)
    if at_ends:
        click.echo(f"{'' if found else chr(10)}{at_ends}\n")
    click.echo(f"the parameters of {named(found)}, to paste into a runcard:\n")
    click.echo(parameters_block(best))
    click.echo(f"trials: {place.tries}")
