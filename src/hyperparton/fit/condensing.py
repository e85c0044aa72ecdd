"""The networks by which the rows of the fast path are mixed: random ones, and some that are trained in passing.

Rows that hold the predictions of random networks do not hold those of trained ones well enough.  So a first set of
rows comes from random networks alone, and networks are trained with it for a short time.  The final rows come from half
of these, on their way, and from PDFs between them and random ones: all ways to change a trained PDF a little.  (A
weighted mean of two PDFs obeys the sum rules that both obey.)  The other half judges how many rows there must be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.chi2 import reduce_rows
from hyperparton.fit.condensed import Condensed, build_condensed, sampled
from hyperparton.fit.folds import FoldSource
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.predictions import training_predictions
from hyperparton.fit.train import FitJob, parameters_on_the_way
from hyperparton.pdf.model import PDFModel, build_model
from hyperparton.runcard.parameters import LagrangeOptions

__all__ = ["find_condensed"]

#: networks with random weights, and those that are trained
_RANDOM, _TRAINED = 256, 32
#: PDFs between both, and the least share of the random one
_BETWEEN, _LEAST_SHARE = 400, 0.05
#: after so many epochs the PDFs of those that are trained are looked at
_EPOCHS = (100, 200, 400)
#: a network whose chi2 is more than this times the least one went astray: it says nothing of fits
_ASTRAY = 5.0
#: most rows of the fast path
_MOST = 400
#: of the accuracy that is asked for, what the rows may take
_SHARE = 0.5
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
    start = model.start(methodology.initializer, range(1, _RANDOM + 1))
    xf = model.evaluate(start, convolution.grid)
    random = sampled(convolution, source.whitened, xf)
    held = np.arange(_RANDOM) >= _RANDOM - _RANDOM // 16
    rough = build_condensed(convolution, source.whitened, random.select(~held), random.select(held), _ROUGH, _MOST)
    if rough is None:
        return None
    on_the_way = _trained(model, methodology, source.by(rough), constraints)
    trained = sampled(convolution, source.whitened, on_the_way)
    places, finite = np.arange(len(on_the_way)), np.isfinite(trained.chi2)
    held = (places % _TRAINED >= _TRAINED // 2) & (trained.chi2 < _ASTRAY * np.nanmin(trained.chi2))
    for_rows = (places % _TRAINED < _TRAINED // 2) & finite
    if not (held.any() and for_rows.any()):
        return None
    between = sampled(convolution, source.whitened, _between(on_the_way[for_rows], xf))
    found = trained.select(for_rows).joined(between)
    return build_condensed(convolution, source.whitened, found, trained.select(held), _SHARE * accuracy, _MOST)


def _between(trained: np.ndarray, random: np.ndarray) -> np.ndarray:
    """Weighted means (net, x, working) of PDFs of both kinds, with shares of all sizes."""
    generator = np.random.default_rng(2)
    share = _LEAST_SHARE ** generator.uniform(size=(_BETWEEN, 1, 1))
    one, two = (each[generator.integers(len(each), size=_BETWEEN)] for each in (trained, random))
    return (1.0 - share) * one + share * two


def _trained(
    model: PDFModel,
    methodology: Methodology,
    source: FoldSource,
    constraints: tuple[ConstraintSets, ConstraintSets],
) -> np.ndarray:
    """x f (net, x, working) of networks that are fitted to data with noise, those of one epoch after the other."""
    rows = source.whitened_matrix()
    shared = reduce_rows(rows[:, :-1], rows[:, -1], source.middle, len(rows))
    residuals = rows[:, -1] - rows[:, :-1] @ source.middle
    residuals = residuals + np.random.default_rng(1).normal(size=(_TRAINED, len(rows)))
    forms = [replace(shared, pull=rows[:, :-1].T @ each, constant=float(each @ each)) for each in residuals]
    predictions = training_predictions(source.convolution, constraints, source.condensed, _ROUGH)
    batch = BatchData(forms, forms, list(range(10_001, 10_001 + _TRAINED)), [0] * _TRAINED, predictions.kept)
    seen = parameters_on_the_way(FitJob(model, methodology), batch, predictions, _EPOCHS)
    return np.concatenate([model.evaluate(each, source.convolution.grid) for each in seen])
