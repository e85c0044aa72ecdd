"""Tables of a report: plain columns and rows, written as CSV and shown on the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.report.filters import value_of
from hyperparton.report.flatten import varied
from hyperparton.report.importance import Importance
from hyperparton.report.losses import Loss, ranked
from hyperparton.report.rows import Row

__all__ = ["Table", "best_setup", "fold_table", "importance_table", "trial_table"]


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain values; None is an empty cell."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
        return cls(tuple(columns), tuple(tuple(row) for row in rows))

    def csv(self) -> str:
        """The table as CSV; numbers keep all their digits, lists become `37-33-8`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return "-".join(str(entry) for entry in value)
    return "" if value is None else value


#: what stands before and after the hyperparameters of a trial
_RESULTS = ("loss", "validation_loss", "experimental_loss")


def trial_table(rows: Sequence[Row], loss: Loss, failures: bool = False) -> Table:
    """Trials, best first, with what differs between them; failed ones at the end where they are asked for."""
    order = [row for row, _ in ranked(rows, loss)]
    if failures:
        order += [row for row in rows if row.state == "fail"]
    several = len({row.scan for row in rows}) > 1
    results = [name for name in _RESULTS if any(value_of(row, name) is not None for row in order)]
    recomputed = [] if loss.measure == "scan" else [loss.label]
    names = [name for name in varied([row.values for row in order]) if not name.startswith("layer_")]
    metrics = _metrics(order, loss.statistic)
    head = [*(["scan"] if several else []), "trial", *recomputed, *results, *names, *metrics]
    if failures:
        head.append("status")
    body = []
    for row in order:
        cells: list[Any] = [row.scan] if several else []
        cells += [row.number, *(loss(row) for _ in recomputed), *(value_of(row, name) for name in results)]
        cells += [row.values.get(name) for name in names] + [measure(row) for measure in metrics.values()]
        body.append([*cells, row.state] if failures else cells)
    return Table.of(head, body)


def _metrics(rows: Sequence[Row], statistic: str) -> dict[str, Any]:
    """χ², 1/phi2 and −log p of the hidden folds by the statistic, where trials have them."""
    found = {}
    for measure, label in (("chi2", "hidden χ²"), ("phi2", "hidden 1/phi2"), ("logp", "hidden −log p")):
        loss = Loss(measure, statistic)
        if any(loss(row) is not None for row in rows):
            found[f"{label} ({statistic})"] = loss
    return found


def best_setup(row: Row, loss: Loss) -> Table:
    """Hyperparameters and losses of one trial, a line each."""
    entries = [(name, value) for name, value in row.values.items() if not name.startswith("layer_")]
    losses = [(name, value_of(row, name)) for name in _RESULTS if value_of(row, name) is not None]
    recomputed = [] if loss.measure == "scan" else [(loss.label, loss(row))]
    return Table.of(("hyperparameter", "value"), [("trial", row.name), *entries, *losses, *recomputed])


def importance_table(entries: Sequence[Importance]) -> Table:
    """How much each hyperparameter matters, and where the best quarter of the trials lies along it."""
    names = ("hyperparameter", "trials", "divergence", "95 % of chance", "probability of chance", "best", "all")
    body = [(e.name, e.trials, e.divergence, e.chance, e.p_value, e.best.told, e.best.told_of_all) for e in entries]
    return Table.of(names, body)


def fold_table(rows: Sequence[Row]) -> Table:
    """Losses per fold and replica: a line for each trial, fold and replica."""
    names = [n for n in ("validation", "experimental", "hyper") if any(n in row.replicas for row in rows)]
    body = []
    for row in rows:
        folds = max((len(row.replicas.get(name, ())) for name in names), default=0)
        for k in range(folds):
            replicas = max(len(_entry(row.replicas.get(name, ()), k, ())) for name in names)
            for r in range(replicas):
                numbers = [_entry(_entry(row.replicas.get(name, ()), k, ()), r, None) for name in names]
                body.append((row.name, k + 1, r + 1, *numbers))
    return Table.of(("trial", "fold", "replica", *names), body)


def _entry(values: Sequence[Any], k: int, otherwise: Any) -> Any:
    return values[k] if k < len(values) else otherwise
