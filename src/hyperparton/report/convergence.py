"""How a scan went: its best loss against trials and time, its workers, its failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.report.losses import Loss, unit_of
from hyperparton.trials.trial import Trial, has_failed

__all__ = [
    "ENOUGH",
    "Convergence",
    "Failure",
    "Worker",
    "convergence",
    "failures",
    "folds_saved",
    "lanes",
    "running_average",
    "workers",
]

#: a time in which no trial ran is a pause if it is longer than so many seconds, and than so many trials: in shorter
#: ones an engine may have thought, or re-fits run
_PAUSE, _TRIALS = 600.0, 20.0

#: below this number of successful trials nothing is said of convergence
ENOUGH = 20


@dataclass(frozen=True, eq=False)
class Convergence:
    """The best loss so far, by trial in the order in which they finished; arrays are (trial,)."""

    trials: tuple[Trial, ...]
    losses: np.ndarray
    """the trial's own; NaN for a failed one"""
    best: np.ndarray
    """NaN until one succeeded"""
    seconds: np.ndarray
    """since the first trial of its scan began, without pauses; NaN where times are unknown"""
    pauses: tuple[float, ...] = ()
    """how many seconds each pause took, between two starts of a scan, in which no trial ran"""

    @property
    def last_improvement(self) -> int | None:
        """Position of the trial that gave the best loss."""
        return int(np.nanargmin(self.losses)) if np.isfinite(self.losses).any() else None

    @property
    def successful(self) -> int:
        """How many trials have a loss."""
        return int(np.isfinite(self.losses).sum())


def convergence(trials: Sequence[Trial], loss: Loss) -> Convergence:
    """The convergence over the finished trials, failed ones included: they cost time too."""
    finished = [trial for trial in trials if trial.finished]
    starts = _scan_starts(trials)
    in_time = all(trial.end is not None and trial.scan in starts for trial in finished)
    if in_time:
        finished.sort(key=lambda trial: (_since(trial.end, trial, starts), trial.scan, trial.number))
    losses = loss.of_all(finished)
    best = np.fmin.accumulate(losses) if len(losses) else losses
    seconds = np.array([_since(trial.end, trial, starts) if in_time else np.nan for trial in finished], dtype=float)
    paused: list[float] = []
    if in_time:
        for name in starts:
            gaps = _pauses([trial for trial in trials if trial.scan == name])
            paused += [end - begin for begin, end in gaps]
            for i, trial in enumerate(finished):
                if trial.scan == name and trial.end is not None:
                    seconds[i] -= sum(end - begin for begin, end in gaps if end <= trial.end)
        if paused and len(starts) > 1:  # side by side from their starts, they finish in another order now
            order = np.argsort(seconds, kind="stable")
            finished, losses, seconds = [finished[i] for i in order], losses[order], seconds[order]
            best = np.fmin.accumulate(losses)
    return Convergence(tuple(finished), losses, best, seconds, tuple(paused))


def _pauses(trials: Sequence[Trial]) -> list[tuple[float, float]]:
    """When no trial of a scan ran, from when to when, for much longer than trials take."""
    spans = sorted((t.begin, t.end) for t in trials if t.begin is not None and t.end is not None)
    if not spans:
        return []
    longest = max(_PAUSE, _TRIALS * float(np.median([end - begin for begin, end in spans])))
    gaps, reached = [], spans[0][1]
    for begin, end in spans[1:]:
        if begin - reached > longest:
            gaps.append((reached, begin))
        reached = max(reached, end)
    return gaps


def _scan_starts(trials: Sequence[Trial]) -> dict[str, float]:
    """When the first trial of each scan began; combined scans are set side by side from there."""
    starts: dict[str, float] = {}
    for trial in trials:
        if trial.begin is not None:
            starts[trial.scan] = min(trial.begin, starts.get(trial.scan, trial.begin))
    return starts


def _since(moment: float | None, trial: Trial, starts: dict[str, float]) -> float:
    return np.nan if moment is None else moment - starts[trial.scan]


def running_average(
    trials: Sequence[Trial], number: Loss, limit: float, of: Loss
) -> tuple[list[Trial], np.ndarray, np.ndarray]:
    """Trials whose `of` is below `limit`, their `number` and its average over the trials so far: (trial,) each."""
    kept: list[Trial] = []
    values: list[float] = []
    for trial in trials:
        value, cut = number(trial), of(trial)
        if trial.ok and value is not None and cut is not None and cut < limit:
            kept.append(trial)
            values.append(value)
    array = np.asarray(values, dtype=float)
    unit = unit_of(array)
    return kept, array, np.cumsum(array * unit) / np.arange(1, len(array) + 1) / unit


@dataclass(frozen=True)
class Failure:
    """One cause of failure."""

    cause: str
    trials: tuple[Trial, ...]
    seconds: float | None
    """spent on these trials, all together"""

    @property
    def example(self) -> str:
        return self.trials[0].reason or "unknown"


def failures(trials: Sequence[Trial]) -> list[Failure]:
    """The causes of failure, the most frequent first; trials that were pruned did not fail."""
    by_cause: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        if has_failed(trial):
            by_cause[trial.cause or "unknown"].append(trial)
    causes = []
    for cause, members in by_cause.items():
        times = [trial.seconds for trial in members if trial.seconds is not None]
        causes.append(Failure(cause, tuple(members), sum(times) if times else None))
    return sorted(causes, key=lambda failure: (-len(failure.trials), failure.cause))


def folds_saved(trials: Sequence[Trial]) -> tuple[int, int]:
    """Folds that failed trials did not have to fit since an earlier one was over the threshold, and those fitted.

    Only a trainer that fits fold after fold, as n3fit's does, saves any.
    """
    fitted = [trial.folds_fitted for trial in trials if trial.finished and trial.folds_fitted]
    most = max(fitted, default=0)
    saved = sum(
        most - trial.folds_fitted for trial in trials if trial.status == "fail" and 0 < trial.folds_fitted < most
    )
    return saved, sum(fitted)


@dataclass(frozen=True)
class Worker:
    """One worker's trials, by the time at which they began."""

    owner: str
    trials: tuple[Trial, ...]
    bars: tuple[tuple[float, float], ...]
    """begin and end of each, in seconds since the scan's first trial began"""
    busy: float
    """seconds in which it had a trial"""
    span: float
    """seconds from the scan's first trial to its last end"""

    @property
    def share(self) -> float:
        return self.busy / self.span if self.span > 0 else 0.0


def workers(trials: Sequence[Trial], now: float | None = None) -> list[Worker]:
    """Who worked when; trials without times are left out, running ones last until `now`."""
    starts = _scan_starts(trials)
    groups: dict[tuple[str, str], list[tuple[float, float, Trial]]] = defaultdict(list)
    for trial in trials:
        end = trial.end if trial.end is not None else (now if trial.status == "running" else None)
        if trial.begin is not None and end is not None:
            start = starts[trial.scan]
            groups[trial.scan, trial.owner or "unnamed"].append(
                (trial.begin - start, max(end, trial.begin) - start, trial)
            )
    spans = {scan: max(bar[1] for key, bars in groups.items() if key[0] == scan for bar in bars) for scan, _ in groups}
    busy_workers = []
    for (scan, owner), members in sorted(groups.items(), key=lambda item: item[0]):
        side_by_side = lanes(members)
        for k, lane in enumerate(side_by_side):
            name = f"{scan} {owner}" if scan else owner
            name += f" ({k + 1})" if len(side_by_side) > 1 else ""
            busy = sum(end - begin for begin, end, _ in lane)
            bars = tuple((begin, end) for begin, end, _ in lane)
            busy_workers.append(Worker(name, tuple(trial for _, _, trial in lane), bars, busy, spans[scan]))
    return busy_workers


def lanes(bars: Iterable[tuple[float, float, Trial]]) -> list[list[tuple[float, float, Trial]]]:
    """Trials (begin, end, trial) side by side, each in the first free lane: as many as ran together at most.

    A process that runs several at once signs all of them.
    """
    found: list[list[tuple[float, float, Trial]]] = []
    for bar in sorted(bars, key=lambda bar: bar[:2]):
        free = next((lane for lane in found if lane[-1][1] <= bar[0]), None)
        if free is None:
            found.append([bar])
        else:
            free.append(bar)
    return found
