"""Re-fits while a scan searches: the engine learns which methodologies fail before it has spent its trials on them.

All trials of a scan are fitted with the same replica. It may be one with which a methodology never fails, though it
fails with others; then a scan ends among methodologies that fail. So before some trials, `stages_below`, the two
trials that may be the best are fitted with new replicas, and the engine sees these re-fits as trials from then on.

They stand in the history of the scan before the trial of their stage. As trial n is suggested from the history up to
trial n - lag, it sees the re-fits of the stages up to n - lag + 1, and waits for them as it waits for these trials.
Those of stage b are chosen by what trial b sees, and run beside the trials from b on. With a lag of 1 they are all that
runs then, and trial b sees them; with a larger one nobody waits for them before trial b + lag - 1. So they follow from
the scan's trials and its lag alone: it does not matter who is faster, a scan that was killed and continued equals one
that was not, and so does one that is asked for more trials later.

A scan does it whose trials have few replicas (`_FEW`), with an engine that takes the same point again
(`Engine.learns_from_refits`) and a trainer that can fit again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat, takewhile
from typing import Any

from hyperparton.scan.history import History, Incumbent, seen_by
from hyperparton.scan.race import blocks_after
from hyperparton.scan.racers import Racers
from hyperparton.trials.refits import Refit
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Outcome

__all__ = ["Scouts", "stages_below"]

#: before this trial the first are fitted again, and each stage comes later than the one before it by this factor
_FIRST, _FACTOR = 14, 1.3

#: trials of a stage, and blocks of replicas that one has in all stages at most
_AT_ONCE, _BLOCKS = 2, 2

#: of fewer trials nobody can tell which may be the best: at a stage that sees no more, none is fitted again
_LEAST = 10

#: trials with more replicas of their own show by themselves how often they fail
_FEW = 4

#: trial, replicas with which it is fitted again
_Asked = tuple[int, tuple[int, ...]]


def stages_below(trials: int) -> list[int]:
    """The trials, of so many, before which others are fitted again."""
    stages = accumulate(repeat(_FACTOR), lambda stage, factor: int(stage * factor), initial=_FIRST)
    return list(takewhile(lambda stage: stage < trials, stages))


@dataclass
class Scouts:
    """What is fitted again while a scan of so many `trials` with this `lag` searches on `space`, stage by stage.

    `history` is that of its `store`.
    """

    space: Mapping[str, Any]
    lag: int
    trials: int
    store: TrialStore
    history: History
    _stages: dict[int, list[_Asked]] = field(default_factory=dict)
    """those that were reached"""
    _finished: dict[_Asked, Refit] = field(default_factory=dict)
    _as_trials: tuple[int, Mapping[_Asked, Sequence[Outcome]]] = (0, {})
    """after so many stages"""

    @property
    def refits(self) -> list[Refit]:
        """Of all stages that were reached, as far as they are finished."""
        return self._refits(self._stages)

    def wanted(self, refits: Iterable[Refit] = ()) -> list[_Asked]:
        """(trial, replicas) of what is to be fitted again and is not finished, as far as it is known with `refits`."""
        self._finished.update({(refit.trial, refit.replicas): refit for refit in refits})
        return [asked for stage in self._reached() for asked in stage if asked not in self._finished]

    def are_finished(self, seen: int) -> bool:
        """Whether all re-fits are that stand among the first `seen` trials."""
        return self._are_finished(_stages_among(seen))

    def among(self, past: Sequence[Outcome]) -> list[Outcome]:
        """The trials `past` with the re-fits where they stand, as trials without the luck of their replicas."""
        stages = _stages_among(len(past))
        if len(stages) != self._as_trials[0]:
            self._as_trials = len(stages), Racers(self.space, past, self._refits(stages)).as_trials()
        together: list[Outcome] = []
        begun = 0
        for stage in stages:
            together += past[begun:stage]
            begun = stage
            for asked in self._stages[stage]:
                together += self._as_trials[1][asked]
        return [*together, *past[begun:]]

    def _reached(self) -> Iterator[list[_Asked]]:
        """What is fitted again at each stage of which it is known by now."""
        for stage in stages_below(self.trials):
            if stage not in self._stages:
                seen = seen_by(stage, self.lag)
                earlier = [each for each in _stages_among(seen) if each < stage]
                begun = self.store.next_number() >= stage
                if not (begun and self.history.reaches(seen) and self._are_finished(earlier)):
                    return
                self._stages[stage] = self._chosen(stage, seen, earlier)
            yield self._stages[stage]

    def _chosen(self, stage: int, seen: int, earlier: Sequence[int]) -> list[_Asked]:
        """What is fitted again at a stage, by the first `seen` trials and the re-fits of the stages `earlier`."""
        past = self.history.outcomes[:seen]
        used = self._used(past)
        if len(past) < _LEAST or used > _FEW:
            return []
        had = Counter(trial for asked in self._stages.values() for trial, _ in asked)
        unseen = {trial for each, asked in self._stages.items() if each not in earlier for trial, _ in asked}
        # kept, as the order of a race is
        key = f"scouts before trial {stage}"
        chosen = self.store.metadata().get(key)
        if chosen is None:
            order = Racers(self.space, past, self._refits(earlier)).best_first([], _AT_ONCE)
            able = [trial for trial in order if had[trial] < _BLOCKS and trial not in unseen]
            chosen = self.store.attach_first(key, able[:_AT_ONCE])
        blocks = blocks_after(used, _BLOCKS)
        return [(trial, blocks[had[trial]]) for trial in chosen]

    def _used(self, past: Sequence[Outcome]) -> int:
        """How many replicas the trials have, by the best of these."""
        best = Incumbent()
        for outcome in past:
            best.add(outcome)
        return 1 if best.number is None else self.store.get(best.number).replicas or 1

    def _are_finished(self, stages: Iterable[int]) -> bool:
        return all(
            stage in self._stages and all(asked in self._finished for asked in self._stages[stage]) for stage in stages
        )

    def _refits(self, stages: Iterable[int]) -> list[Refit]:
        asked = [each for stage in stages for each in self._stages[stage]]
        return [self._finished[each] for each in asked if each in self._finished]


def _stages_among(seen: int) -> list[int]:
    """The stages whose re-fits are seen together with the first `seen` trials."""
    return stages_below(seen + 1)
