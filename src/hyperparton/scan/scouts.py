"""Re-fits while a scan searches: the engine learns which methodologies fail before it has spent its trials on them.

All trials of a scan are fitted with the same replica. It may be one with which a methodology never fails, though it
fails with others; then a scan ends among methodologies that fail. So before some trials, those of `STAGES`, the two
trials that may be the best are fitted with new replicas, and the engine sees these re-fits as trials from then on.

Only a scan does it that knows all trials before the next one (lag 1) and whose trials have few replicas (`FEW`), with
an engine that takes the same point again (`Engine.learns_from_refits`) and a trainer that can fit again. Which trials
are fitted again follows from the trials and re-fits before, so a scan that was killed and continued equals one that was
not, and so does one that is asked for more trials later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat, takewhile
from typing import Any

from hyperparton.scan.race import blocks_after
from hyperparton.scan.racers import Racers
from hyperparton.trials.refits import Refit
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Outcome

__all__ = ["FEW", "Round", "Scouts", "stages_below"]

#: before this trial the first are fitted again, and each stage comes later than the one before it by this factor
_FIRST, _FACTOR = 14, 1.3

#: trials of a stage, and blocks of replicas that one has in all stages at most
_AT_ONCE, _BLOCKS = 2, 2

#: trials with more replicas of their own show by themselves how often they fail
FEW = 4


def stages_below(trials: int) -> list[int]:
    """The trials, of so many, before which others are fitted again."""
    stages = accumulate(repeat(_FACTOR), lambda stage, factor: int(stage * factor), initial=_FIRST)
    return list(takewhile(lambda stage: stage < trials, stages))


@dataclass(frozen=True)
class Round:
    """Re-fits that are wanted once: (trial, replicas) of each."""

    pairs: Sequence[tuple[int, tuple[int, ...]]]

    def wanted(self, refits: Iterable[Refit]) -> list[tuple[int, tuple[int, ...]]]:
        """Those that `refits` do not have."""
        held = {(refit.trial, refit.replicas) for refit in refits}
        return [pair for pair in self.pairs if pair not in held]


@dataclass
class Scouts:
    """What was fitted again so far, stage by stage, on a space; the scan's trials have the replicas up to `used`."""

    space: Mapping[str, Any]
    used: int = 1
    stages: dict[int, list[Refit]] = field(default_factory=dict)
    _as_trials: dict[tuple[int, tuple[int, ...]], list[Outcome]] = field(default_factory=dict)

    @property
    def refits(self) -> list[Refit]:
        """Of all stages."""
        return [refit for stage in sorted(self.stages) for refit in self.stages[stage]]

    def round_before(self, stage: int, finished: Sequence[Outcome], store: TrialStore) -> Round:
        """What is fitted again before trial `stage`, from those `finished` before it; kept in the store of re-fits."""
        had = Counter(refit.trial for refit in self.refits)
        blocks = blocks_after(self.used, _BLOCKS)
        racers = Racers(self.space, finished[:stage], self.refits)
        chosen = [trial for trial in racers.best_first([], _AT_ONCE) if had[trial] < _BLOCKS][:_AT_ONCE]
        # kept, as the order of a race is
        chosen = store.attach_first(f"scouts before trial {stage}", chosen)
        return Round([(trial, blocks[had[trial]]) for trial in chosen])

    def add(self, stage: int, refits: Sequence[Refit], finished: Sequence[Outcome]) -> None:
        """The re-fits that were made before trial `stage`, of trials among those `finished`."""
        self.stages[stage] = list(refits)
        self._as_trials = Racers(self.space, finished, self.refits).as_trials()

    def among(self, past: Sequence[Outcome]) -> list[Outcome]:
        """The trials `past` with the re-fits where they came, as trials without the luck of their replicas."""
        together: list[Outcome] = []
        begun = 0
        for stage in sorted(self.stages):
            together += past[begun:stage]
            begun = stage
            for refit in self.stages[stage]:
                together += self._as_trials[refit.trial, refit.replicas]
        return [*together, *past[begun:]]
