"""Confirming a scan that has no store of ours, such as n3fit's: all that is known of it is what `tries.json` records.

Its trials are read and never written. The engine that ranks them sees them at the nearest points of the card's search
space; what is fitted again are the parameters that they state, to the last digit. What the re-fits are of, card and
data, is kept with them, as no store of the scan does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hyperparton.errors import ScanError, StoreError
from hyperparton.scan.confirm import LACKS_REFIT, Confirmation
from hyperparton.scan.events import Progress, RefitEvents
from hyperparton.scan.executor_choice import executor_of
from hyperparton.scan.executors import Job
from hyperparton.scan.limits import Deadline
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import Execution, agree_on_fits
from hyperparton.scan.stores import open_refits
from hyperparton.scan.trainer import Trainer
from hyperparton.scan.warm_start import located, outside
from hyperparton.scan.worker_process import Recipe
from hyperparton.space.locate import Misfit
from hyperparton.text import counted
from hyperparton.trials.trial import Outcome, Trial, ranked
from hyperparton.trials.verdict import Verdict

__all__ = ["RecordedTrials", "confirm_recorded"]


@dataclass(frozen=True)
class RecordedTrials:
    """The finished trials that a `tries.json` records; `FinishedTrials`."""

    path: Path
    """the file"""
    space: Mapping[str, Any]
    """the search space"""
    trials: Mapping[int, Trial]
    """by number, as they are recorded"""
    outcomes: Sequence[Outcome]
    """with the vals that they have in the space"""

    @classmethod
    def in_space(cls, path: Path, trials: Iterable[Trial], space: Mapping[str, Any]) -> RecordedTrials:
        """Those of `trials` that are finished, each with its place in `space`.

        Raises StoreError naming what does not fit if not all lie there, or if two have the same number, and ScanError
        if none succeeded.
        """
        known: dict[int, Trial] = {}
        outcomes: list[Outcome] = []
        others: list[tuple[int, list[Misfit]]] = []
        for trial in sorted((each for each in trials if each.finished), key=lambda each: each.number):
            if trial.number in known:
                raise StoreError(f"{path}: holds two trials with the number {trial.number}")
            known[trial.number] = trial
            vals, misfits = located(space, trial.space_vals)
            if vals is None:
                others.append((trial.number, misfits))
            else:
                outcomes.append(replace(trial, vals=vals).outcome)
        if others:
            raise StoreError(
                f"{path}: the search space of the card does not hold {len(others)} of its "
                f"{counted(len(known), 'finished trial')}, so it is not that of this scan: {outside(others)}"
            )
        if not ranked(known.values()):
            raise ScanError(
                f"{path}: of its {counted(len(known), 'finished trial')} none succeeded, so there is no best one"
            )
        return cls(path, space, known, outcomes)

    def finished_numbers(self) -> list[int]:
        """Their numbers, in order."""
        return list(self.trials)

    def history(self) -> Sequence[Outcome]:
        """What engines read of them, by number."""
        return self.outcomes

    def best(self) -> Trial:
        """The one with the lowest loss, of equal ones the first."""
        return ranked(self.trials.values())[0][0]

    def get(self, number: int) -> Trial:
        """One of them; raises StoreError if it is not there."""
        if number not in self.trials:
            raise StoreError(f"{self.path}: holds no finished trial {number}, of which there are re-fits beside it")
        return self.trials[number]


def confirm_recorded(
    folder: str | Path,
    trainer: Trainer | Recipe,
    scanner: HyperScanner,
    trials: RecordedTrials,
    *,
    replicas: range,
    fits: Mapping[str, Any],
    execution: Execution | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Fit the best of `trials` again; the verdicts, the best first, or none where there are too few to race.

    `folder` is where their `tries.json` lies, and `replicas` are those that each trial had. `fits` is strict JSON data
    that says what is fitted: it must be the same whenever the re-fits are continued. With a store in `execution`
    several jobs fit together. `progress` is called with the events of re-fits that `run_scan` lists.

    Raises ScanError for a trainer that cannot fit again, StoreError for re-fits of other trials or of other `fits`, and
    what ends a scan early (`run_scan`).
    """
    execution = execution or Execution()
    deadline, events = Deadline(execution.limits.walltime), RefitEvents(progress)
    job = Job(scanner, False, execution.limits, deadline, events)
    with executor_of(trainer, execution) as executor, executor.at_work(job):
        if not executor.refits:
            raise ScanError(f"the best trials cannot be fitted again: {LACKS_REFIT}")
        opened = partial(open_refits, folder, execution, deadline, partial(agree_on_fits, metadata=fits))
        confirmation = Confirmation(
            trials.space, executor, execution, deadline, events, opened,
            replicas=replicas, parameters_of=partial(_given, set(trials.space)),
        )  # fmt: skip
        return confirmation.run(trials)


def _given(keys: Set[str], trial: Trial) -> dict[str, Any]:
    """What the trainer is given in a space of these keys; of a choice among whole sets it is one, under its label."""
    return {"parameters": trial.parameters} if keys == {"parameters"} else trial.parameters
