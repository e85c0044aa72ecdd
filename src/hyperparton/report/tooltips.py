"""What a page says at the points of a figure: an SVG `<title>` for each trial, and a link to its row of the table."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from hyperparton.report.hyperparameters import describe_values, shown
from hyperparton.report.panel import Panel
from hyperparton.report.plots.style import Figure, places_of
from hyperparton.report.summary import Summary
from hyperparton.trials.trial import Trial

__all__ = ["ROWS", "Tooltips", "row_id"]

#: trials that the table of a page has at most
ROWS = 2000


def row_id(number: Any, scan: int = 0) -> str:
    """The id of a trial's row in the table of a page; `scan` counts the scans that a page combines."""
    return f"trial-{scan}-{number}" if scan else f"trial-{number}"


class Tooltips:
    """The tooltips of the trials of a summary; of very many trials those in the page's table have some."""

    def __init__(self, summary: Summary) -> None:
        scans = {scan.name: k for k, scan in enumerate(summary.scans)} if len(summary.scans) > 1 else {}
        self._loss = summary.options.loss
        self._rows = {trial.name: row_id(trial.number, scans.get(trial.scan, 0)) for trial, _ in summary.ranked[:ROWS]}
        self._texts: dict[str, str] = {}

    def over(self, panel: Panel, figure: Figure) -> str:
        """SVG to lay over the figure of a panel, once that is a file: transparent points, one element for a trial."""
        drawn = places_of(figure)
        if not drawn:
            return ""
        parts = []
        few = len(panel.trials) <= ROWS
        for i, trial in enumerate(panel.trials):
            if not few and trial.name not in self._rows:
                continue
            marks = "".join(f"M{at[i, 0]:.0f} {at[i, 1]:.0f}h.1" for at in drawn if np.isfinite(at[i]).all())
            if marks:
                parts.append(self._point(trial, marks))
        return f'<g class="points">{"".join(parts)}</g>'

    def _point(self, trial: Trial, marks: str) -> str:
        inner = f'<title>{self._text(trial)}</title><path d="{marks}"/>'
        row = self._rows.get(trial.name)
        return f"<g>{inner}</g>" if row is None else f'<a href="#{row}" tabindex="-1">{inner}</a>'

    def _text(self, trial: Trial) -> str:
        if trial.name not in self._texts:
            loss = self._loss(trial) if trial.ok else None
            said = trial.reason or trial.status if loss is None else f"{self._loss.label} {shown(float(loss))}"
            self._texts[trial.name] = escape(f"Trial {trial.name}: {said}\n{describe_values(trial)}", quote=False)
        return self._texts[trial.name]
