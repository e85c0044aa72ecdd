"""What the compiled epoch is compiled for, what it is given, and what it changes."""

from __future__ import annotations

from typing import Any, NamedTuple

from hyperparton.fit.moving import MovingProjection
from hyperparton.fit.pace import Pace
from hyperparton.fit.positivity import Multipliers
from hyperparton.fit.projection import Projection
from hyperparton.fit.quadratic import Quadratic
from hyperparton.fit.stopping import Criteria, StoppingState
from hyperparton.pdf.batched import NetworkShape, NodeMasks, PointArrays
from hyperparton.pdf.model import ModelParameters
from hyperparton.pdf.preprocessing import Preprocessing

__all__ = ["Chi2Arrays", "CompileKey", "FitState", "HyperArrays", "ModelArrays", "ProblemArrays"]

Array = Any


class CompileKey(NamedTuple):
    """What is compiled in; equal keys, with arrays of equal shapes, share a compilation."""

    shape: NetworkShape
    optimizer: str
    use_dropout: bool
    use_regularizer: bool
    preprocessing: Preprocessing | None
    """where exponents are trained"""
    split: bool = False
    """whether training and validation of all models of a call are parts of the same sum, `Chi2Arrays.summed`"""
    moving: bool = False
    """whether predictions that are not linear take the fast path, `fit.moving`"""


class ProblemArrays(NamedTuple):
    """Arrays that all models of a problem share."""

    points: PointArrays
    projection: Projection | MovingProjection
    origin: Array
    """(feature,)"""
    positivity_sets: Array
    """(set, dat) 1 where a point belongs to a set"""
    integrability_sets: Array
    """(set, dat) the same"""
    accuracy: Array | None = None
    """of the fast path: by how much an expansion may change losses, relatively to the chi2"""


class Chi2Arrays(NamedTuple):
    """The chi2 of fits, whatever trial is trained on them, as `fit.chi2.stack` returns them, each (fit, ...)."""

    training: Quadratic
    validation: Quadratic
    """without H where it is `summed` less that of the training"""
    summed: Array | None = None
    """(feature, feature): H of training and validation together, the same for all fits of a call"""


class HyperArrays(NamedTuple):
    """Hyperparameters that are data of the program, each (model,)."""

    optimizer: dict[str, Array]
    """by the names of its arguments"""
    dropout: Array
    l1: Array
    l2: Array
    criteria: Criteria


class ModelArrays(NamedTuple):
    """Arrays with a leading axis `model` that do not change in a fit."""

    masks: NodeMasks
    validation_ndata: Array
    """(model,) points"""
    positivity: Multipliers
    integrability: Multipliers
    fixed: ModelParameters
    """exponents (model, flav) that are not trained"""
    keys: Array
    """(model,) uint32: seeds of dropout"""
    hyper: HyperArrays


class FitState(NamedTuple):
    """Everything that changes in a fit; all but `epoch` have a leading axis `model`."""

    epoch: Array
    """of the next step, from 0"""
    parameters: ModelParameters
    slots: list[Any]
    """for each weight array what its optimizer keeps, of the array's shape"""
    best: ModelParameters
    """those of the best epoch so far"""
    stopping: StoppingState
    training_loss: Array
    """(model,) chi2, Lagrange terms and regularization at the parameters before the last step"""
    training_chi2: Array
    """(model,) the chi2 alone, not divided by the points"""
    validation_chi2: Array
    """(model,) per point"""
    pushed_loss: Array
    """(model,) chi2 and positivity of the validation after so many steps that the multipliers were pushed"""
    pushed_chi2: Array
    """(model,) the chi2 alone, per point"""
    pace: Pace | None = None
    """of the fast path"""
