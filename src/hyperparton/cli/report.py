"""`hyperparton report`: a scan's result as a page, figures and tables."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hyperparton.cli.options import store_option, theory_options
from hyperparton.report.losses import STATISTICS, Loss
from hyperparton.report.options import Options

if TYPE_CHECKING:
    from hyperparton.report.summary import Summary
    from hyperparton.trials.store_url import StoreURL

__all__ = ["chosen_options", "report", "selection_options", "usual_report"]


#: what a reader chooses, shared by `report` and `dashboard`
_SELECTION = (
    click.option(
        "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Keep trials; also < <= > >= !=, a|b."
    ),
    click.option("--autofilter", multiple=True, metavar="KEY", help="Leave out the worst values of these keys."),
    click.option(
        "--loss",
        type=click.Choice(["scan", "chi2", "phi2", "logp", "validation", "experimental"]),
        default=Loss.measure,
        show_default=True,
        help="What trials are compared by.",
    ),
    click.option(
        "--statistic",
        type=click.Choice(list(STATISTICS)),
        default=Loss.statistic,
        show_default=True,
        help="Over folds, where the loss is not the scan's own.",
    ),
    click.option("--include-failures", is_flag=True, help="Show failed trials too."),
    click.option(
        "--chi2-threshold",
        type=float,
        default=Options.chi2_threshold,
        show_default=True,
        help="Of the averages of χ², −log p.",
    ),
    click.option(
        "--chi2exp-threshold",
        type=float,
        default=Options.chi2exp_threshold,
        show_default=True,
        help="Of the average of the loss.",
    ),
    click.option(
        "--top", type=click.IntRange(min=1), default=Options.top, show_default=True, help="Trials shown by fold."
    ),
    click.option("--title", help="Default: the scans' names."),
    click.option("--author"),
    click.option("--keyword", "keywords", multiple=True),
)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Filters, the loss, title and the like."""
    for option in reversed(_SELECTION):
        command = option(command)
    return command


def chosen_options(autofilter: tuple[str, ...], loss: str, statistic: str, **others: Any) -> Options:
    """The report's options from the command line's."""
    keys = tuple(key for entry in autofilter for key in entry.split(",") if key)
    return Options(loss=Loss(loss, statistic), autofilter=keys, **others)


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="OUT", help="Default: DIR/report.")
@click.option(
    "--fits",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Fit the best K trials anew to all data: PDFs, learning curves, data.",
)
@store_option
@theory_options
@selection_options
def report(
    directories: tuple[Path, ...],
    output: Path | None,
    fits: int,
    store: StoreURL | None,
    theory: Path | None,
    t0pdfset: str | None,
    **chosen: Any,
) -> None:
    """Report on the scans in DIR... (or tries.json files), combined: OUT/index.html, its figures and tables."""
    from hyperparton.host import rare_collections
    from hyperparton.report.scans import read_scans
    from hyperparton.report.summary import summarise
    from hyperparton.report.write import write_report
    from hyperparton.trials.store_url import shown_command
    from hyperparton.workflow.own import with_own
    from hyperparton.workflow.ranges import with_spaces

    command = shlex.join(["hyperparton", *shown_command(sys.argv[1:])])
    with rare_collections():
        scans = with_own(with_spaces(read_scans(directories, store)))
        summary = _with_edges(summarise(scans, chosen_options(**chosen)), directories[0])
        folder = output if output is not None else _default_folder(directories)  # of scans that are there
        extra = _fits(summary, fits, theory, t0pdfset) if fits else []
        target = write_report(summary, folder, command=command, now=time.time(), extra=extra)
    for finding in summary.findings:
        click.echo(f"{finding.question}\n    {finding.answer}")
    click.echo(f"report: {target}")


def usual_report(directory: Path) -> Path:
    """The page that `hyperparton report DIRECTORY` writes, without other options; gives its path."""
    from hyperparton.host import rare_collections
    from hyperparton.report.scans import read_scans
    from hyperparton.report.summary import summarise
    from hyperparton.report.write import write_report
    from hyperparton.workflow.own import with_own
    from hyperparton.workflow.ranges import with_spaces

    command = shlex.join(["hyperparton", "report", str(directory)])
    with rare_collections():
        summary = _with_edges(summarise(with_own(with_spaces(read_scans([directory]))), Options()), directory)
        return write_report(summary, _default_folder((directory,)), command=command, now=time.time())


def _with_edges(summary: Summary, directory: Path) -> Summary:
    """The summary with what there is to say of the ends of ranges, of a single scan; the ranges of several differ."""
    from hyperparton.workflow.ranges import found_edges

    if summary.best is None or len(summary.scans) != 1:
        return summary
    folder = summary.scans[0].folder
    _, text = found_edges(folder, summary.trials, summary.best, directory, summary.options.loss)
    return summary.with_edges(text) if text else summary


def _fits(summary: Any, count: int, theory: Path | None, t0pdfset: str | None) -> list[Any]:
    from hyperparton.cli.progress import make_display
    from hyperparton.cli.refit import fit_best
    from hyperparton.report.fits import fit_sections

    with make_display() as display:
        fitted = fit_best(summary, count, theory, t0pdfset, display)
    return fit_sections(fitted) if fitted else []


def _default_folder(directories: tuple[Path, ...]) -> Path:
    first = directories[0]
    return (first if os.path.isdir(first) else first.parent) / "report"
