"""The networks by which the rows of the fast path are mixed: random ones, and some that are trained in passing.

Rows that hold the predictions of random networks do not hold those of trained ones well enough.  So a first set of
rows comes from random networks alone, networks are trained with it for a short time, and what they are on the way mixes
the final rows.  Half of them only judge how many rows there must be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.chi2 import reduce_rows
from hyperparton.fit.condensed import Condensed, Sample, build_condensed, sampled
from hyperparton.fit.folds import FoldSource
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.predictions import training_predictions
from hyperparton.fit.train import FitJob, parameters_on_the_way
from hyperparton.pdf.model import PDFModel, build_model
from hyperparton.runcard.parameters import LagrangeOptions

__all__ = ["find_condensed"]

#: networks with random weights, and those that are trained
_RANDOM, _TRAINED = 256, 24
#: after so many epochs their PDFs are looked at
_EPOCHS = (100, 200, 400, 800)
#: most rows of the fast path
_MOST = 400
#: of the accuracy that is asked for, what the rows may take
_SHARE = 0.25
#: the error that the rows by which networks are trained may have
_ROUGH = 1e-2


def _methodology(flavours: int) -> Methodology:
    """A fit that is quick."""
    return Methodology(
        nodes=(25, 20, flavours),
        activations=("tanh", "tanh", "linear"),
        initializer="glorot_normal",
        layer_type="dense",
        optimizer="Adam",
        optimizer_numbers={"learning_rate": 3e-3, "clipnorm": 1e-4},
        epochs=_EPOCHS[-1],
        patience=_EPOCHS[-1],
        delta=0.0,
        dropout=0.0,
        l1=0.0,
        l2=0.0,
        threshold_chi2=0.0,
        positivity=LagrangeOptions(initial=100.0, multiplier=1.0),
        integrability=LagrangeOptions(initial=10.0, multiplier=1.0),
        feature_scaling_points=None,
    )


def find_condensed(
    source: FoldSource, constraints: tuple[ConstraintSets, ConstraintSets], accuracy: float
) -> Condensed | None:
    """The rows that hold the chi2 of trained networks to a part of `accuracy`, relatively.

    None where they would be too many to be of use.
    """
    card, convolution = source.card, source.convolution
    methodology = _methodology(len(card.fitting.basis))
    model = build_model(
        card.fitting,
        methodology.nodes,
        methodology.activations,
        methodology.layer_type,
        sum_rules=card.sum_rules,
        scaling=None,
    )
    random = _random(model, methodology, source)
    held = np.arange(_RANDOM) >= _RANDOM - _RANDOM // 16
    rough = build_condensed(convolution, source.whitened, random.select(~held), random.select(held), _ROUGH, _MOST)
    if rough is None:
        return None
    trained = _trained(model, methodology, source.by(rough), constraints)
    held = np.arange(len(trained.chi2)) % _TRAINED >= _TRAINED // 2
    found = random.joined(trained.select(~held))
    return build_condensed(convolution, source.whitened, found, trained.select(held), _SHARE * accuracy, _MOST)


def _random(model: PDFModel, methodology: Methodology, source: FoldSource) -> Sample:
    start = model.start(methodology.initializer, range(1, _RANDOM + 1))
    return sampled(source.convolution, source.whitened, model.evaluate(start, source.convolution.grid))


def _trained(
    model: PDFModel,
    methodology: Methodology,
    source: FoldSource,
    constraints: tuple[ConstraintSets, ConstraintSets],
) -> Sample:
    """Networks on their way, fitted to data with noise; those of an epoch stand after those of the one before."""
    rows = source.whitened_matrix()
    shared = reduce_rows(rows[:, :-1], rows[:, -1], source.middle, len(rows))
    residuals = rows[:, -1] - rows[:, :-1] @ source.middle
    residuals = residuals + np.random.default_rng(1).normal(size=(_TRAINED, len(rows)))
    forms = [replace(shared, pull=rows[:, :-1].T @ each, constant=float(each @ each)) for each in residuals]
    predictions = training_predictions(source.convolution, constraints, source.condensed, _ROUGH)
    batch = BatchData(forms, forms, list(range(10_001, 10_001 + _TRAINED)), [0] * _TRAINED, predictions.kept)
    seen = parameters_on_the_way(FitJob(model, methodology), batch, predictions, _EPOCHS)
    xf = np.concatenate([model.evaluate(each, source.convolution.grid) for each in seen])
    # a network whose fit went astray says nothing of the others
    return sampled(source.convolution, source.whitened, xf[np.isfinite(xf).all(axis=(1, 2))])
