"""A report as one page that needs nothing else: no network, no file beside it, no script for what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from hyperparton.report.about import about
from hyperparton.report.filters import ALIASES
from hyperparton.report.hyperparameters import shown
from hyperparton.report.panel import Panel, Section
from hyperparton.report.plots.style import svg_element, svg_text
from hyperparton.report.scans import Scan
from hyperparton.report.summary import Summary
from hyperparton.report.tables import Table, best_setup, parameters_block, trial_table
from hyperparton.report.tooltips import ROWS, Tooltips, row_id
from hyperparton.text import counted
from hyperparton.trials.result import is_number

__all__ = ["Progress", "inline_figure", "page"]


@dataclass(frozen=True)
class Progress:
    """How far a scan is, for the head of a live page."""

    lines: Sequence[str]
    finished: int
    total: int | None


_PARTS = files("hyperparton.report") / "templates"

#: settings that a scan has by options of the same name
_REPEATED = ("engine", "seed", "lag", "replicas", "t0pdfset")


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((_PARTS / "report.html.j2").read_text(encoding="utf-8"))


def page(
    summary: Summary,
    sections: Sequence[Section],
    svgs: Mapping[str, str],
    *,
    command: str = "",
    now: datetime | None = None,
    linked: bool = True,
    live: str | None = None,
    status: Sequence[Progress] = (),
) -> str:
    """The page of a summary.

    `svgs` holds the figure of each panel by its name (`inline_figure`). With `linked` the page links the files beside
    it; with `live`, what names the page, it asks its server for changes, and `status` says how far each scan is.
    """
    best = summary.best
    options = summary.options
    omitted = {column.name for column in summary.columns} - {column.name for column in summary.figured}
    listed = trial_table(summary.trials, options.loss, options.include_failures, omitted)
    shown_trials = Table(listed.columns, listed.rows[:ROWS])
    return _template().render(
        title=summary.title,
        author=options.author,
        keywords=options.keywords,
        date=(now or datetime.now()).strftime("%Y-%m-%d %H:%M"),
        version=version("hyperparton"),
        counts=_counts(summary),
        findings=summary.findings,
        notes=summary.notes,
        about=about,
        best="" if best is None else _table(best_setup(best, options.loss, omitted)),
        block=parameters_block(best.parameters) if best is not None and best.parameters else "",
        sections=sections,
        linkable={"trials", *(["best"] if best is not None else []), *(part.key for part in sections)},
        svgs={name: Markup(svg) for name, svg in svgs.items()},
        table=_table,
        trials=_table(shown_trials, [scan.name for scan in summary.scans]),
        rest=f"{left:,}" if (left := len(listed.rows) - len(shown_trials.rows)) else "",
        omitted=f"{len(omitted):,}" if omitted else "",
        filters=options.filters,
        removed=[f"{r.combination} ({counted(r.trials, 'trial')}, {shown(r.median)})" for r in summary.removed],
        scans=summary.scans,
        settings=lambda scan: _table(Table.of(("setting", "value"), scan.settings.items())),
        repeat=_command,
        command=command,
        files=linked,
        live=live,
        status=status,
        aliases=ALIASES,
        style=Markup((_PARTS / "report.css").read_text(encoding="utf-8")),
        script=Markup((_PARTS / "report.js").read_text(encoding="utf-8")),
    )


def inline_figure(panel: Panel, tips: Tooltips) -> str:
    """The panel's figure as an element of a page, its points with their tooltips; empty if it has none."""
    if panel.draw is None:
        return ""
    figure = panel.draw()
    svg = svg_text(figure)  # places its parts
    return svg_element(svg, panel.name, panel.title, tips.over(panel, figure))


def _counts(summary: Summary) -> str:
    words = {"ok": "succeeded", "fail": "failed", "running": "running", "waiting": "waiting to run again"}
    parts = [f"{count} {word}" for state, word in words.items() if (count := summary.count(state))]
    left_out = sum(len(scan.trials) for scan in summary.scans) - len(summary.trials)
    if left_out:
        parts.append(f"{left_out} left out by filters")
    total = sum(scan.total or len(scan.trials) for scan in summary.scans)
    return f"{counted(total, 'trial')}: {', '.join(parts)}"


def _command(scan: Scan) -> str:
    """The command that makes the same scan again."""
    settings = scan.settings
    parts = [f"--{key} {settings[key]}" for key in _REPEATED if settings.get(key) is not None]
    parts += [f"--from {source}" for source in settings.get("prior", ())] + ["--prune"] * ("prune" in settings)
    return " ".join(["hyperparton scan RUNCARD --trials", str(scan.total or len(scan.trials)), *parts])


def _table(table: Table, scans: Sequence[str] = ()) -> Markup:
    """A table as HTML; numbers carry their full value for sorting, and with the names of `scans` rows are trials."""
    text = [any(isinstance(row[i], str | list) for row in table.rows) for i in range(len(table.columns))]
    kinds = [' class="text"' if is_text else "" for is_text in text]
    head = "".join(f'<th scope="col"{css}>{escape(name)}</th>' for name, css in zip(table.columns, kinds, strict=True))
    at = table.columns.index("status") if scans and "status" in table.columns else None
    lines = []
    for row in table.rows:
        cells = "".join(_cell(value, is_text) for value, is_text in zip(row, text, strict=True))
        failed = at is not None and row[at] == "fail"
        css = ' class="fail"' if failed else ""
        lines.append(f"<tr{_id(table.columns, row, scans)}{css}>{cells}</tr>")
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>\n" + "\n".join(lines) + "\n</tbody></table>")


def _id(columns: Sequence[str], row: Sequence[Any], scans: Sequence[str]) -> str:
    if not scans:
        return ""
    scan = scans.index(row[0]) if columns[0] == "scan" else 0
    return f' id="{row_id(row[columns.index("trial")], scan)}"'


def _cell(value: Any, is_text: bool) -> str:
    if is_text:
        return f'<td class="text">{escape(shown(value))}</td>'
    raw = repr(value) if is_number(value) else ""
    return f'<td data-value="{raw}">{escape(shown(value))}</td>'
