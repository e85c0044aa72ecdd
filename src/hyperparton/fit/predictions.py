"""What predicts data, positivity and integrability in the training, the same for all trials of a runcard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.fit.condensed import Condensed
from hyperparton.fit.moving import build_moving
from hyperparton.fit.observables import Convolution
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.projection import build_projection, to_device

__all__ = ["Predictions", "training_predictions"]

#: features with smaller singular values are left out of the training: its chi2 then agrees to 2e-6
_TRAINING_CUT = 1e-3
#: of the accuracy that is asked for, what an expansion may take: the largest error is that of its last epoch
_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Predictions:
    """What predicts data, positivity and integrability from PDFs, the same for all trials of a runcard."""

    convolution: Convolution
    """in the features of the chi2"""
    positivity: ConstraintSets
    integrability: ConstraintSets
    linear: int
    """how many of the linear features matter in training; those behind them are for what is reported"""
    condensed: Condensed | None = None
    """of the fast path; None for the full tables"""
    wanted: float = 0.0
    """by how much the fast path may change the chi2 of a fit, relatively"""

    @cached_property
    def kept(self) -> np.ndarray:
        """(feature,) whether the training sees a feature."""
        others = self.convolution.nonlinear_size
        size = self.convolution.matrix.shape[1] - others
        others = others if self.condensed is None else self.condensed.count
        return (np.arange(size + others) < self.linear) | (np.arange(size + others) >= size)

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The arrays of `compiled.ProblemArrays` that do not depend on the trial, on the device."""
        constraints = self.positivity.convolution, self.integrability.convolution
        if self.condensed is None:
            projection, accuracy = build_projection(self.convolution, self.linear, *constraints), None
        else:
            projection = build_moving(self.convolution, self.linear, self.condensed, *constraints)
            accuracy = np.float32(_SHARE * self.wanted)
        return {
            "projection": to_device(projection),
            "positivity_sets": to_device(self.positivity.membership()),
            "integrability_sets": to_device(self.integrability.membership()),
            "accuracy": None if accuracy is None else to_device(accuracy),
        }


def training_predictions(
    convolution: Convolution,
    constraints: tuple[ConstraintSets, ConstraintSets],
    condensed: Condensed | None,
    accuracy: float,
) -> Predictions:
    """The predictions in the features that matter in the training."""
    linear = convolution.leading(_TRAINING_CUT, None if condensed is None else condensed.count)
    return Predictions(convolution, *constraints, linear, condensed, accuracy)
