"""Which methodology is the best by its re-fits: its mean, how sure that is, and how often its fits fail.

All methodologies are fitted with the same replicas, so two are compared by the differences of their losses replica by
replica: most of a loss's spread, what split and network happen to be, is common to both. A fit has failed if it has no
loss, or one that lies above the best methodology's median by more than `_FAR` times the spread of a replica. The spread
is taken from the middle of all losses, so failed fits do not widen it.

Few fits that went well do not show that a methodology is stable. So the best is sought among those that are stable with
the most replicas. Where there is none, those that left the race earlier are asked too: of k failures in n fits, the
expected share is (k + 1/2) / (n + 1), with Jeffreys' prior, and the one with the least is named. So none of 20 goes
before 2 of 40, and 2 of 40 before none of 5.

Among stable ones with the most replicas whose mean losses are the same within their error, phi2 may decide: see
`second_choice`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hyperparton.trials.refits import Refit
from hyperparton.trials.second_choice import Blocks, SecondChoice, blocks_without_failures, phi2_of, second_choice
from hyperparton.trials.trial import Trial, ranked

__all__ = [
    "ALLOWED",
    "CONFIDENCE",
    "Verdict",
    "by_verdict",
    "failing_limit",
    "losses_of",
    "mean_losses",
    "paired",
    "plain",
    "verdicts",
]

#: a methodology is stable if at most this share of its fits failed
ALLOWED = 0.025

#: how sure limits are
CONFIDENCE = 0.95

#: a fit this many spreads above the best median has failed
_FAR = 6.0

#: standard deviation of a normal distribution in units of its median absolute deviation
_NORMAL = 1.4826

#: two methodologies are told apart if their mean difference is this many of its standard errors
_TOLD = 2.0


@dataclass(frozen=True)
class Verdict:
    """What the re-fits say of one trial's methodology."""

    trial: int
    replicas: int
    """that were fitted again"""
    failed: int
    mean: float
    """of the losses of the fits that did not fail; infinite if all did"""
    error: float
    """its standard error; infinite for fewer than two fits"""
    phi2: float | None = None
    """of the hidden folds, from all blocks in which no fit failed; corrected for the number of replicas"""
    told: bool = True
    """whether it is worse than the best by more than chance; false for the best itself"""
    difference: float = math.nan
    """of its mean loss from the best one's, over the replicas that both have and where neither failed; NaN without"""
    difference_error: float = math.inf
    """its standard error"""
    choice: SecondChoice | None = None
    """of the best: how it was chosen, where chi2 and phi2 choose together"""

    @property
    def share(self) -> float:
        """The share of fits that failed."""
        return self.failed / self.replicas

    @property
    def stable(self) -> bool:
        """Whether no more than `ALLOWED` of its fits failed."""
        return self.share <= ALLOWED

    @property
    def expected_share(self) -> float:
        """The share of all its fits that is expected to fail, by Jeffreys' prior."""
        return (self.failed + 0.5) / (self.replicas + 1)

    @property
    def share_limit(self) -> float:
        """The share of all its fits that fails at most, with `CONFIDENCE` (Clopper, Pearson)."""
        # here: scipy.special takes time to import
        from scipy.special import bdtri

        return 1.0 if self.failed == self.replicas else float(bdtri(self.failed, self.replicas, 1.0 - CONFIDENCE))


def by_verdict(trials: Iterable[Trial], verdicts: Sequence[Verdict]) -> list[Trial]:
    """The trials that succeeded: those that were fitted again, the best first, then the others by their losses."""
    order = {trial.number: trial for trial, _ in ranked(trials)}
    first = [order.pop(verdict.trial) for verdict in verdicts if verdict.trial in order]
    return [*first, *order.values()]


def plain(verdict: Verdict) -> dict[str, object]:
    """The verdict as strict JSON data."""
    numbers = {name: value if math.isfinite(value) else None for name, value in _numbers(verdict).items()}
    choice = {} if verdict.choice is None else {"chosen_by": "phi2" if verdict.choice.by_phi2 else "loss"}
    return {
        "trial": verdict.trial, "replicas": verdict.replicas, "failed": verdict.failed, **numbers,
        "stable": verdict.stable, "told_from_the_best": verdict.told, **choice,
    }  # fmt: skip


def _numbers(verdict: Verdict) -> dict[str, float]:
    phi2 = {} if verdict.phi2 is None else {"phi2": verdict.phi2}
    difference = {"difference": verdict.difference, "difference_error": verdict.difference_error}
    return {"mean": verdict.mean, "error": verdict.error, **phi2, **difference}


def verdicts(refits: Iterable[Refit]) -> list[Verdict]:
    """The verdict on each trial that was fitted again, the best first.

    The best has the lowest mean of those that are stable and have the most replicas, or the largest phi2 where their
    means are the same; the others follow, those first of whose fits the least share is expected to fail. Where none is
    stable with the most replicas, these are all.
    """
    # in an order of their own: sums that are rounded otherwise could choose otherwise
    refits = sorted(refits, key=lambda refit: (refit.trial, refit.replicas))
    if not refits:
        return []
    with np.errstate(over="ignore", invalid="ignore"):  # losses may be as large as a float can be
        losses = losses_of(refits)
        limit = failing_limit(losses)
        return _sorted(losses, limit, blocks_without_failures(refits, limit))


def _sorted(losses: Mapping[int, Mapping[int, float]], limit: float, blocks: Mapping[int, Blocks]) -> list[Verdict]:
    phi2 = {trial: phi2_of(held) for trial, held in blocks.items()}
    judged = [_judged(trial, held, limit, phi2.get(trial)) for trial, held in losses.items()]
    most = max(each.replicas for each in judged)
    asked = {each.trial for each in judged if each.stable and each.replicas == most}
    judged.sort(key=lambda each: (0.0 if each.trial in asked else each.expected_share, each.mean, each.trial))
    lowest = judged[0].trial
    others = [(trial, *paired(losses[lowest], losses[trial], limit)) for trial in asked - {lowest}]
    choice = second_choice(lowest, others, blocks) if asked else None
    best = lowest if choice is None else choice.chosen
    judged.sort(key=lambda each: each.trial != best)
    first, *rest = (_compared(each, losses[best], losses[each.trial], limit) for each in judged)
    return [replace(first, choice=choice), *rest]


def losses_of(refits: Iterable[Refit]) -> dict[int, dict[int, float]]:
    """Trial -> replica -> loss; infinite where its fit gave none."""
    losses: dict[int, dict[int, float]] = {}
    for refit in refits:
        for replica, loss in zip(refit.replicas, refit.losses, strict=True):
            losses.setdefault(refit.trial, {})[replica] = math.inf if loss is None else loss
    return losses


def failing_limit(losses: Mapping[int, Mapping[int, float]]) -> float:
    """The loss above which a fit has failed, from all losses: trial -> replica -> loss."""
    held = [np.array(list(each.values())) for each in losses.values()]
    medians = np.array([np.median(each) for each in held])
    around = [np.abs(each - median) for each, median in zip(held, medians, strict=True) if math.isfinite(median)]
    if not around:
        return math.inf
    return float(medians.min() + _FAR * _NORMAL * np.median(np.concatenate(around)))


def _judged(trial: int, losses: Mapping[int, float], limit: float, phi2: float | None) -> Verdict:
    values = np.array(list(losses.values()))
    good = values[(values <= limit) & np.isfinite(values)]
    mean = float(good.mean()) if len(good) else math.inf
    error = float(good.std(ddof=1) / math.sqrt(len(good))) if len(good) > 1 else math.inf
    return Verdict(trial, len(values), len(values) - len(good), mean, error, phi2)


def paired(one: Mapping[int, float], other: Mapping[int, float], limit: float = math.inf) -> tuple[float, float]:
    """(mean, standard error) of `other` less `one` over the replicas that both have and where neither failed."""
    common = [(one[r], other[r]) for r in one if r in other and max(one[r], other[r]) <= limit]
    differences = np.array([b - a for a, b in common if math.isfinite(a) and math.isfinite(b)])
    if len(differences) < 2:
        return math.nan, math.inf
    return float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(len(differences)))


def _compared(verdict: Verdict, best: Mapping[int, float], own: Mapping[int, float], limit: float) -> Verdict:
    """The verdict beside the losses of the best, which may be its own."""
    if own is best:
        return replace(verdict, told=False, difference=0.0, difference_error=0.0)
    mean, error = paired(best, own, limit)
    return replace(verdict, told=mean > _TOLD * error, difference=mean, difference_error=error)


def mean_losses(losses: Mapping[int, Sequence[float]]) -> dict[int, float]:
    """Trial -> mean of its losses, failed fits included: one that fails now and then is worse than it seems.

    A fit without a loss, an infinite one, counts as the worst of all fits that have one.
    """
    known = [loss for each in losses.values() for loss in each if math.isfinite(loss)]
    worst = max(known, default=math.inf)
    return {trial: float(np.mean(np.minimum(each, worst))) for trial, each in losses.items()}
