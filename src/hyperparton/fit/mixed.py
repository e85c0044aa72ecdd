"""Fits whose replicas have different methodologies: one batch for each, put together in the order of the replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.data.types import FitData
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.result import FitNumbers, FitResult
from hyperparton.fit.run import central_chi2, evaluate_fit, run_fit
from hyperparton.fit.setup import FitSetup
from hyperparton.fit.train import ProgressCallback
from hyperparton.pdf.model import Start
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.parameters import Parameters

__all__ = ["MixedFit", "fit_mixed"]


@dataclass(frozen=True, eq=False)
class MixedFit(FitNumbers):
    """A fit of all data whose replicas come from several batches."""

    parts: tuple[FitResult, ...]

    @classmethod
    def of(cls, parts: Sequence[FitResult], replicas: Sequence[int], central_chi2: float) -> MixedFit:
        """The parts put together in the order of `replicas`."""
        names = ("training_chi2", "validation_chi2", "experimental_chi2", "best_epoch", "stop_epoch", "passed")
        order = _order(parts, replicas)
        arrays = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
        return cls(replicas=tuple(replicas), central_chi2=central_chi2, parts=tuple(parts), **arrays)

    def xf(self, x: np.ndarray) -> np.ndarray:
        """x f (rep, x, evol) at Q0."""
        return np.concatenate([part.xf(x) for part in self.parts])[_order(self.parts, self.replicas)]


def _order(parts: Sequence[FitResult], replicas: Sequence[int]) -> list[int]:
    """Where each replica stands among those of all parts."""
    numbers = [number for part in parts for number in part.replicas]
    return [numbers.index(number) for number in replicas]


def fit_mixed(
    card: Runcard,
    data: FitData,
    parameters: Mapping[int, Parameters],
    progress: ProgressCallback | None = None,
    *,
    start: Start | None = None,
    training: bool = True,
) -> MixedFit:
    """One fit of a runcard in which replica `number` has the methodology `parameters[number]`.

    Replicas with equal parameters are fitted as one batch; each has the seeds of its number, as in any other fit.
    `start(model, numbers)` returns the parameters to begin with, for the replicas of these numbers; with `training` off
    they are evaluated as they are.
    """
    numbers = tuple(parameters)
    setup = FitSetup(card, data, numbers)
    groups: list[tuple[Methodology, list[int]]] = []
    for number in numbers:
        methodology = Methodology.from_parameters(parameters[number])
        for known, members in groups:
            if known == methodology:
                members.append(number)
                break
        else:
            groups.append((methodology, [number]))
    setups, parts = [], []
    for methodology, members in groups:
        part = setup.sharing(FitSetup(card, data, members))
        begin = None if start is None else start(part.model(methodology), members)
        if training:
            parts.append(run_fit(part, methodology, progress, begin))
        else:
            assert begin is not None, "without training there must be parameters to evaluate"
            parts.append(evaluate_fit(part, methodology, begin))
        setups.append(part)
    xf = np.concatenate([part.trained.model.evaluate(part.trained.parameters, setup.grid) for part in parts])
    # the measured data are the same in the full fit of any part, so none is built for all replicas
    return MixedFit.of(parts, numbers, central_chi2(setups[0], xf))
