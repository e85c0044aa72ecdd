"""What a scan reports while it runs: events, plain dictionaries, for whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hyperparton.scan.history import History
from hyperparton.trials.refits import refit_of, replicas_of
from hyperparton.trials.trial import Trial
from hyperparton.trials.verdict import Verdict, plain

__all__ = ["Events", "Progress", "RefitEvents"]

#: receives an event, a dictionary with `event` and what `run_scan` lists
Progress = Callable[[dict[str, Any]], None]


class Events:
    """The events of a scan of `total` trials, passed to `progress`, unless that is None."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total = progress, total

    def earlier_trials(self, count: int, notes: Sequence[str]) -> None:
        """Trials of earlier scans are read: how many, and a line on each file."""
        self._report({"event": "prior", "trials": count, "notes": list(notes)})

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""
        self._report({
            "event": "trial_started", "tid": trial.number, "params": trial.space_vals, "total": self._total,
        })  # fmt: skip

    def of_trainer(self, trials: Sequence[Trial]) -> Progress | None:
        """Where a trainer's own events go, if anyone listens; of several trials the first stands for all."""
        if self._progress is None:
            return None
        first, whose = trials[0], {"event": "trial_progress", "tid": trials[0].number, "total": self._total}
        if replicas_of(first.vals) is not None:
            whose = {"event": "refit_progress", "tid": refit_of(first).trial}
        return lambda event: self._report({**event, **whose})

    def trial_finished(self, trial: Trial, seconds: float, history: History) -> None:
        """A trial is finished, after so many seconds."""
        if self._progress is None:  # to count the finished trials costs a look into the store
            return
        self._report({
            "event": "trial_finished", "tid": trial.number, "done": history.finished(self._total),
            "status": trial.status, "loss": trial.loss, "reason": trial.reason, "seconds": seconds,
            "best": history.best.loss, "best_tid": history.best.number,
            **({"pruned": True} if trial.pruned else {}), "total": self._total,
            **({"traceback": trial.traceback} if trial.traceback else {}),
        })  # fmt: skip

    def scan_ended(self, reason: str) -> None:
        """Early stopping ended the scan."""
        self._report({"event": "scan_ended", "reason": reason})

    def _report(self, event: dict[str, Any]) -> None:
        if self._progress is not None:
            self._progress(event)


class RefitEvents(Events):
    """The events of the re-fits of a scan's best trials."""

    def __init__(self, progress: Progress | None) -> None:
        super().__init__(progress, 0)

    def skipped(self, reason: str) -> None:
        """Nothing is fitted again."""
        self._report({"event": "confirm_skipped", "reason": reason})

    def race_begins(self, trials: int, fits: int) -> None:
        """So many trials begin the race, which takes so many fits of replicas at most."""
        self._report({"event": "confirm_started", "trials": trials, "fits": fits})

    def trial_started(self, trial: Trial) -> None:
        """A re-fit begins."""
        refit = refit_of(trial)
        self._report({"event": "refit_started", "tid": refit.trial, "replicas": list(refit.replicas)})

    def trial_finished(self, trial: Trial, seconds: float, history: History) -> None:
        """A re-fit is finished."""
        refit = refit_of(trial)
        self._report({
            "event": "refit_finished", "tid": refit.trial, "replicas": list(refit.replicas),
            "losses": list(refit.losses), "status": trial.status, "reason": trial.reason, "seconds": seconds,
        })  # fmt: skip

    def race_over(self, verdicts: Sequence[Verdict]) -> None:
        """What the re-fits say, the best methodology first."""
        self._report({"event": "confirmed", "verdicts": [plain(verdict) for verdict in verdicts]})
