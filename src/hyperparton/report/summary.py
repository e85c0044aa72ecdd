"""A report's content: the trials that were chosen, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hyperparton.errors import ReportError
from hyperparton.report.autofilter import Removed, autofilter
from hyperparton.report.comparable import check_comparable
from hyperparton.report.convergence import ENOUGH, Convergence, Failure, convergence, failures
from hyperparton.report.expected_gain import Gain, expected_gain
from hyperparton.report.filters import apply_filters, parse_filter
from hyperparton.report.findings import Finding, findings
from hyperparton.report.hyperparameters import Column, columns
from hyperparton.report.importance import Importance, importances
from hyperparton.report.losses import Loss
from hyperparton.report.options import Options
from hyperparton.report.scales import common_scales
from hyperparton.report.scans import Scan, combined
from hyperparton.text import counted
from hyperparton.trials.trial import Trial, ranked
from hyperparton.trials.verdict import Verdict

__all__ = ["MOST_FIGURES", "Summary", "summarise"]

#: so many hyperparameters have figures of their own; of more, those that matter most
MOST_FIGURES, _OF_MORE = 24, 12


@dataclass(frozen=True, eq=False)
class Summary:
    """The numbers of a report."""

    scans: tuple[Scan, ...]
    options: Options
    trials: tuple[Trial, ...]
    """that passed the filters, unfinished ones with them"""
    removed: tuple[Removed, ...]
    ranked: tuple[tuple[Trial, float], ...]
    convergence: Convergence
    columns: tuple[Column, ...]
    """of the finished trials: the hyperparameters that differ"""
    importances: tuple[Importance, ...]
    failures: tuple[Failure, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """what a reader should know of the scans beside each other"""

    @property
    def finished(self) -> list[Trial]:
        """The trials that `columns` are of."""
        return [trial for trial in self.trials if trial.finished]

    @cached_property
    def figured(self) -> tuple[Column, ...]:
        """The columns that have figures of their own: all of them or, of very many, those that matter most."""
        if len(self.columns) <= MOST_FIGURES:
            return self.columns
        rank = {entry.name: i for i, entry in enumerate(self.importances)}
        chosen = sorted(self.columns, key=lambda column: rank.get(column.name, len(rank)))[:_OF_MORE]
        names = {column.name for column in chosen}
        return tuple(column for column in self.columns if column.name in names)

    @property
    def title(self) -> str:
        return self.options.title or f"Hyperparameter scan {' + '.join(scan.name for scan in self.scans)}"

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """On the trials that were fitted again; none where several scans are combined, whose replicas may differ."""
        return _verdicts(self.scans)

    @property
    def best(self) -> Trial | None:
        """The methodology that the report names: by the re-fits, where there are some."""
        return _named(self.ranked, self.verdicts)

    def with_edges(self, text: str) -> Summary:
        """With what there is to say of the ends of ranges, after what is best."""
        said = Finding("edges", "Are its ranges wide enough?", text, "scatter")
        return replace(self, findings=(self.findings[0], said, *self.findings[1:]))

    def count(self, state: str) -> int:
        """How many trials are in a `state`: ok, fail, running or waiting."""
        return sum(1 for trial in self.trials if trial.status == state)


def _verdicts(scans: Sequence[Scan]) -> tuple[Verdict, ...]:
    return scans[0].verdicts if len(scans) == 1 else ()


def _named(ranked: Sequence[tuple[Trial, float]], verdicts: Sequence[Verdict]) -> Trial | None:
    """The best trial by the re-fits, or the first of the ranked ones where filters leave that one out."""
    chosen = {trial.number: trial for trial, _ in ranked}
    if verdicts and verdicts[0].trial in chosen:
        return chosen[verdicts[0].trial]
    return ranked[0][0] if ranked else None


def summarise(scans: Sequence[Scan], options: Options | None = None) -> Summary:
    """The numbers of these scans, combined.

    Raises ReportError if a filter is not understood or leaves nothing, and for scans that cannot be compared.
    """
    chosen = options or Options()
    trials = combined(scans)
    notes = check_comparable(scans)
    if not trials:
        raise ReportError(f"{', '.join(str(scan.path) for scan in scans)}: holds no trials yet")
    kept = apply_filters(trials, [parse_filter(text) for text in chosen.filters])
    kept, removed = autofilter(kept, chosen.autofilter, chosen.loss)
    if not kept:
        raise ReportError(f"of {counted(len(trials), 'trial')} none passes the filters {', '.join(chosen.filters)}")
    order = ranked(kept, chosen.loss)
    if chosen.loss.measure != "scan" and not order and any(trial.ok for trial in kept):
        raise ReportError(f"no trial has what --loss {chosen.loss.measure} needs; accepted for these trials: scan")
    progress = convergence(kept, chosen.loss)
    finished = [trial for trial in kept if trial.finished]
    differing = columns(finished, common_scales([scan.space for scan in scans]))
    important = importances(kept, chosen.loss, differing)
    causes = failures(kept)
    gain = _gain(finished, differing, important, chosen.loss) if progress.successful >= ENOUGH else None
    return Summary(
        scans=tuple(scans),
        options=chosen,
        trials=tuple(kept),
        removed=tuple(removed),
        ranked=tuple(order),
        convergence=progress,
        columns=tuple(differing),
        importances=tuple(important),
        failures=tuple(causes),
        findings=tuple(
            findings(
                kept,
                differing,
                chosen.loss,
                progress,
                important,
                causes,
                _verdicts(scans),
                gain,
                scans[0].own if len(scans) == 1 else None,
            )
        ),
        notes=tuple(notes),
    )


def _gain(
    finished: Sequence[Trial], differing: Sequence[Column], important: Sequence[Importance], loss: Loss
) -> Gain | None:
    """What more trials are expected to gain, by the hyperparameters that matter most."""
    rank = {entry.name: i for i, entry in enumerate(important)}
    order = sorted(differing, key=lambda column: rank.get(column.name, len(rank)))
    return expected_gain(finished, order, loss)
