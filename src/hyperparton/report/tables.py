"""Tables: plain columns and rows, written as CSV, as text, and shown on the page of a report; a trial as YAML."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from hyperparton.report.filters import value_of
from hyperparton.report.hyperparameters import table_names
from hyperparton.report.importance import Importance
from hyperparton.report.losses import Loss
from hyperparton.text import counted, literal
from hyperparton.trials.parameters import PARAMETER, is_width, varied
from hyperparton.trials.trial import Trial, ranked

__all__ = [
    "Table",
    "beside",
    "best_setup",
    "best_text",
    "fold_table",
    "importance_table",
    "parameters_block",
    "trial_table",
]


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
        joined = {i for row in self.rows for i, value in enumerate(row) if type(value) in (list, tuple)}
        rows = [self.columns, *(_joined(row, joined) if joined else row for row in self.rows)]
        text = _csv(rows)
        if "\r" not in text:
            return text
        # which is not quoted, though a reader takes it for the end of a line
        return "".join(_csv([row], csv.QUOTE_ALL if "\r" in _csv([row]) else csv.QUOTE_MINIMAL) for row in rows)

    def text(self, width: int | None = None) -> str:
        """The table for a terminal: columns as wide as they have to be, numbers with four digits.

        Where it is wider than `width` letters, each row becomes a column: as many beside each other as have room, the
        others below.
        """
        lines = [[literal(name, _LETTERS) for name in self.columns], *([_short(v) for v in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        if width is None or _width(widths) <= width or not self.rows:
            return _aligned(lines, widths)
        names, *rest = lines
        blocks = []
        while rest:
            widths = [max(map(len, names)), *(max(map(len, row)) for row in rest)]
            count = max(1, sum(_width(widths[: n + 2]) <= width for n in range(len(rest))))
            turned = list(zip(names, *rest[:count], strict=True))
            blocks.append(_aligned(turned, widths[: count + 1]))
            rest = rest[count:]
        return "\n\n".join(blocks)


def _width(widths: Sequence[int]) -> int:
    """Letters of a line with columns of these widths."""
    return sum(widths) + len(_BETWEEN) * (len(widths) - 1)


def _aligned(lines: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    return "\n".join(_BETWEEN.join(map(str.rjust, line, widths)) for line in lines)


def _csv(rows: Iterable[Sequence[Any]], quoting: Any = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()


def _joined(row: Sequence[Any], columns: Container[int]) -> list[Any]:
    return [_cell(value) if i in columns else value for i, value in enumerate(row)]


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return "-".join(str(entry) for entry in value)
    return "" if value is None else value


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else literal(str(_cell(value)), _LETTERS)


#: what stands between two columns on a terminal
_BETWEEN = "  "

#: letters of a cell on a terminal at most
_LETTERS = 60

#: what stands before and after the hyperparameters of a trial
_RESULTS = ("loss", "validation_loss", "experimental_loss")


def trial_table(trials: Sequence[Trial], loss: Loss, failures: bool = False, omitted: Container[str] = ()) -> Table:
    """Trials, best first, with what differs between them; failed ones at the end where they are asked for.

    `omitted` are names of hyperparameters that have no column.
    """
    order = [trial for trial, _ in ranked(trials, loss)]
    if failures:
        order += [trial for trial in trials if trial.status == "fail"]
    several = len({trial.scan for trial in trials}) > 1
    results = [name for name in _RESULTS if any(value_of(trial, name) is not None for trial in order)]
    names = [name for name in table_names(order) if name not in omitted]
    columns: list[tuple[str, Callable[[Trial], Any]]] = [("scan", lambda trial: trial.scan)] if several else []
    columns.append(("trial", lambda trial: trial.number))
    if loss.measure != "scan":
        columns.append((loss.label, loss))
    columns += [(name, partial(value_of, key=name)) for name in results]
    metrics = _metrics(order, loss.statistic)
    taken = {*(name for name, _ in columns), *metrics}
    columns += [(beside(name, taken), lambda trial, name=name: trial.values.get(name)) for name in names]
    columns += metrics.items()
    if failures:
        columns.append(("status", lambda trial: trial.status))
    return Table.of([name for name, _ in columns], [[cell(trial) for _, cell in columns] for trial in order])


def beside(name: str, taken: Container[str]) -> str:
    """The name of a hyperparameter's column in a table that has columns of the names `taken`."""
    return f"{PARAMETER}{name}" if name in taken else name


def best_text(trials: Sequence[Trial], top: int, width: int | None = None) -> str:
    """The best `top` trials for a terminal, with what differs between all trials, under a line on all of them.

    `width` is that of the terminal, None where it does not matter.
    """
    best = [trial for trial, _ in ranked(trials)]
    results = [name for name in _RESULTS if any(value_of(trial, name) is not None for trial in best)]
    names = varied(trial.stated for trial in trials)
    full = ["trial", *results, *names]
    short = ["trial", *(name.removesuffix("_loss") for name in results), *(name.rpartition(".")[2] for name in names)]
    times = Counter(short)
    head = [one if times[one] == 1 else name for one, name in zip(short, full, strict=True)]
    body = [
        [trial.number, *(value_of(trial, name) for name in results), *(trial.stated.get(name) for name in names)]
        for trial in best[:top]
    ]
    return f"{_counts(trials)}\n{Table.of(head, body).text(width)}"


def _counts(trials: Sequence[Trial]) -> str:
    pruned = sum(trial.pruned for trial in trials)
    failed = sum(trial.status == "fail" for trial in trials) - pruned
    unfinished = sum(not trial.finished for trial in trials)
    more = [f"{count} {word}" for count, word in ((pruned, "pruned"), (unfinished, "unfinished")) if count]
    return ", ".join([counted(len(trials), "trial"), f"{failed} failed", *more])


def _metrics(trials: Sequence[Trial], statistic: str) -> dict[str, Any]:
    """χ², 1/phi2 and −log p of the hidden folds by the statistic, where trials have them."""
    metrics = {}
    for measure, label in (("chi2", "hidden χ²"), ("phi2", "hidden 1/phi2"), ("logp", "hidden −log p")):
        loss = Loss(measure, statistic)
        if any(loss(trial) is not None for trial in trials):
            metrics[f"{label} ({statistic})"] = loss
    return metrics


def best_setup(trial: Trial, loss: Loss, omitted: Container[str] = ()) -> Table:
    """Hyperparameters and losses of one trial, a line each; `omitted` are names of hyperparameters without one."""
    kept = [name for name in trial.values if name not in omitted]
    entries = [(name, trial.values[name]) for name in kept if name not in trial.derived or not is_width(name)]
    losses = [(name, value_of(trial, name)) for name in _RESULTS if value_of(trial, name) is not None]
    recomputed = [] if loss.measure == "scan" else [(loss.label, loss(trial))]
    return Table.of(("hyperparameter", "value"), [("trial", trial.name), *entries, *losses, *recomputed])


def importance_table(entries: Sequence[Importance]) -> Table:
    """How much each hyperparameter matters, and where the best quarter of the trials lies along it."""
    names = (
        "hyperparameter",
        "trials",
        "divergence",
        "95 % of chance",
        "probability of chance",
        "answer",
        "best",
        "all",
    )
    body = [
        (e.name, e.trials, e.divergence, e.chance, e.p_value, e.answer, e.best.text, e.best.text_of_all)
        for e in entries
    ]
    return Table.of(names, body)


def fold_table(trials: Sequence[Trial]) -> Table:
    """Losses per fold and replica: a line for each trial, fold and replica."""
    names = [n for n in ("validation", "experimental", "hyper") if any(n in trial.replica_losses for trial in trials)]
    body = []
    for trial in trials:
        by_fold = zip_longest(*(trial.replica_losses.get(name, ()) for name in names), fillvalue=())
        for k, fold in enumerate(by_fold):
            body += [(trial.name, k + 1, r + 1, *numbers) for r, numbers in enumerate(zip_longest(*fold))]
    return Table.of(("trial", "fold", "replica", *names), body)


def parameters_block(parameters: Mapping[str, Any]) -> str:
    """YAML of `parameters:` as an n3fit runcard has it, to paste into one."""
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.dump(CommentedMap({"parameters": _block(parameters)}), text)
    return text.getvalue()


def _block(value: Any) -> Any:
    if isinstance(value, Mapping):
        return CommentedMap({str(key): _block(entry) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_block(entry) for entry in value)
        listed.fa.set_flow_style()
        return listed
    return value
