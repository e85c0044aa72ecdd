"""Writing a report: the page, figures as SVG and PDF, tables as CSV."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

from hyperparton.errors import ReportError
from hyperparton.report.html import Progress, inline_figure, page
from hyperparton.report.panel import Section, with_file_names
from hyperparton.report.panels import sections
from hyperparton.report.plots.style import save_both, svg_element
from hyperparton.report.summary import Summary
from hyperparton.report.tables import Table, best_setup, trial_table
from hyperparton.report.tooltips import Tooltips

__all__ = ["render", "write_report"]


#: where the fits of the best trials would stand
_NO_FITS = (
    Section(
        "pdfs",
        "PDFs, data and learning curves of the best trials",
        (),
        note="Trials keep no PDFs. `hyperparton report --fits K` fits the best K anew to all data and shows them here.",
    ),
)


def render(
    summary: Summary, *, now: float | None = None, live: str | None = None, status: Sequence[Progress] = ()
) -> str:
    """The page alone, without files beside it; `live` and `status` as in `page`."""
    parts = with_file_names(sections(summary, now))
    tips = Tooltips(summary)
    svgs = {panel.name: inline_figure(panel, tips) for section in parts for panel in section.panels}
    return page(summary, parts, svgs, linked=False, live=live, status=status)


def write_report(
    summary: Summary,
    folder: str | Path,
    *,
    command: str = "",
    now: float | None = None,
    extra: Sequence[Section] = (),
) -> Path:
    """Write `index.html`, `figures/` and `tables/` into `folder` and give the page's path.

    `extra` are further sections, shown after the losses by fold. Raises ReportError if the folder cannot be written.
    """
    parts = sections(summary, now)
    at = next(i for i, section in enumerate(parts) if section.key == "averages")
    parts[at:at] = extra or (_NO_FITS if any(trial.replica_losses for trial in summary.trials) else ())
    parts, out = with_file_names(parts), Path(folder)
    try:
        for name in ("figures", "tables"):
            (out / name).mkdir(parents=True, exist_ok=True)
        svgs = _write_panels(out, parts, Tooltips(summary))
        _write_tables(out, summary)
        target = out / "index.html"
        _write_text(target, page(summary, parts, svgs, command=command))
    except OSError as fault:
        raise ReportError(f"{fault.filename or out}: cannot be written: {fault.strerror}") from fault
    return target


def _write_text(path: Path, text: str) -> None:
    """Write a file; letters that UTF-8 does not have, half a surrogate pair, become escapes."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _write_panels(out: Path, parts: Sequence[Section], tips: Tooltips) -> dict[str, str]:
    svgs = {}
    for panel in (panel for section in parts for panel in section.panels):
        _write_text(out / "tables" / f"{panel.name}.csv", panel.table.csv())
        if panel.draw is None:
            continue
        figure = panel.draw()
        svg = save_both(figure, out / "figures" / panel.name)
        svgs[panel.name] = svg_element(svg, panel.name, panel.title, tips.over(panel, figure))
        del figure
        gc.collect(1)  # its parts know each other: megabytes, of which a report makes dozens
    return svgs


def _write_tables(out: Path, summary: Summary) -> None:
    options = summary.options
    tables = {"trials": trial_table(summary.trials, options.loss, options.include_failures)}
    tables["answers"] = Table.of(("question", "answer"), [(f.question, f.answer) for f in summary.findings])
    if summary.best is not None:
        tables["best_setup"] = best_setup(summary.best, options.loss)
    for name, table in tables.items():
        _write_text(out / "tables" / f"{name}.csv", table.csv())
