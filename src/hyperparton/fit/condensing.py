"""The networks by which the rows of the fast path are mixed: random ones, and some that are trained in passing.

Rows that hold the predictions of random networks do not hold those of trained ones well enough.  So a first set of
rows comes from random networks alone, and networks are trained with it for a short time.  The final rows come from half
of these, on their way, and from PDFs between them and random ones: all ways to change a trained PDF a little.  (A
weighted mean of two PDFs obeys the sum rules that both obey.)  The other half judges how many rows there must be.

By what PDFs change from epoch to epoch (`fit.second_order`) is what small changes of the weights do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import numpy as np

from hyperparton.fit import row_store
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.chi2 import reduce_rows
from hyperparton.fit.condensed import Condensed, build_condensed, find_mixing, leading_mixing, sampled
from hyperparton.fit.folds import FoldSource
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.predictions import training_predictions
from hyperparton.fit.row_store import Rows
from hyperparton.fit.train import FitJob, parameters_on_the_way
from hyperparton.pdf.model import ModelParameters, PDFModel, build_model
from hyperparton.runcard.parameters import LagrangeOptions

__all__ = ["find_condensed"]

#: networks with random weights, and those that are trained
_RANDOM, _TRAINED = 256, 32
#: PDFs between both, and the least share of the random one
_BETWEEN, _LEAST_SHARE = 600, 0.05
#: after so many epochs the PDFs of those that are trained are looked at
_EPOCHS = (100, 200, 400)
#: a network whose chi2 is more than this times the least one went astray: it says nothing of fits
_ASTRAY = 5.0
#: most rows of the fast path
_MOST = 400
#: rows of the predictions and of ratios by which networks are trained in passing, and how well these are linearised
_ROUGH_ROWS, _ROUGH_RATIOS, _ROUGH = 240, 64, 1e-2
#: by what share weights change, and how many changes of each network are looked at
_SHARE_OF_WEIGHTS, _CHANGES = 0.03, 3
#: PDFs that are kept of those in whose neighbourhood fits are
_AROUND = 32


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
    """The rows that hold the chi2 of trained networks to `accuracy`, relatively, from disk where they are known.

    None where they would be too many to be of use.
    """
    settings = accuracy, source.card.sum_rules, source.card.fitting.fitbasis, source.card.fitting.basis
    key = row_store.key_of(source.convolution, source.whitened, constraints, repr(settings))
    rows = row_store.read(key)
    if rows is None:
        if (rows := _find(source, constraints, accuracy)) is None:
            return None
        row_store.write(key, rows)
    return build_condensed(source.convolution.nonlinear, rows.mixing, rows.around, rows.changes)


def _find(source: FoldSource, constraints: tuple[ConstraintSets, ConstraintSets], accuracy: float) -> Rows | None:
    card, convolution, whitened = source.card, source.convolution, source.whitened
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
    random = sampled(convolution, whitened, xf)
    mixing = leading_mixing(convolution, whitened, random, _ROUGH_ROWS, _ROUGH_RATIOS)
    rough = build_condensed(convolution.nonlinear, mixing, xf, _changes(model, [start], convolution.grid))
    seen = _trained(model, methodology, source.by(rough), constraints)
    on_the_way = np.concatenate([model.evaluate(each, convolution.grid) for each in seen])
    trained = sampled(convolution, whitened, on_the_way)
    places, finite = np.arange(len(on_the_way)), np.isfinite(trained.chi2)
    held = (places % _TRAINED >= _TRAINED // 2) & (trained.chi2 < _ASTRAY * np.nanmin(trained.chi2))
    for_rows = (places % _TRAINED < _TRAINED // 2) & finite
    if not (held.any() and for_rows.any()):
        return None
    between = sampled(convolution, whitened, _between(on_the_way[for_rows], xf))
    found = trained.select(for_rows).joined(between)
    mixing = find_mixing(convolution, whitened, found, trained.select(held), accuracy, _MOST)
    if mixing is None:
        return None
    changes = _changes(model, seen, convolution.grid)
    good = np.flatnonzero(finite & (trained.chi2 < _ASTRAY * np.nanmin(trained.chi2)))
    around = on_the_way[good[np.linspace(0, len(good) - 1, min(_AROUND, len(good))).astype(int)]]
    return Rows(mixing, around, changes[np.isfinite(changes).all(axis=(1, 2))])


def _between(trained: np.ndarray, random: np.ndarray) -> np.ndarray:
    """Weighted means (net, x, working) of PDFs of both kinds, with shares of all sizes."""
    generator = np.random.default_rng(2)
    share = _LEAST_SHARE ** generator.uniform(size=(_BETWEEN, 1, 1))
    one, two = (each[generator.integers(len(each), size=_BETWEEN)] for each in (trained, random))
    return (1.0 - share) * one + share * two


def _changes(model: PDFModel, parameters: Sequence[ModelParameters], grid: np.ndarray) -> np.ndarray:
    """By what x f (net, x, working) changes where all weights of networks change a little."""
    generator, changes = np.random.default_rng(3), []

    def changed(weights: np.ndarray) -> np.ndarray:
        return weights * (1.0 + _SHARE_OF_WEIGHTS * generator.normal(size=np.shape(weights)))

    for each in parameters:
        plain = model.evaluate(each, grid)
        for _ in range(_CHANGES):
            other = {**each, "layers": jax.tree.map(changed, each["layers"])}
            changes.append(model.evaluate(other, grid) - plain)
    return np.concatenate(changes)


def _trained(
    model: PDFModel,
    methodology: Methodology,
    source: FoldSource,
    constraints: tuple[ConstraintSets, ConstraintSets],
) -> list[ModelParameters]:
    """The parameters of networks that are fitted to data with noise, after some epochs and after more."""
    rows = source.whitened_matrix()
    shared = reduce_rows(rows[:, :-1], rows[:, -1], source.middle, len(rows))
    residuals = rows[:, -1] - rows[:, :-1] @ source.middle
    residuals = residuals + np.random.default_rng(1).normal(size=(_TRAINED, len(rows)))
    forms = [replace(shared, pull=rows[:, :-1].T @ each, constant=float(each @ each)) for each in residuals]
    predictions = training_predictions(source.convolution, constraints, source.condensed, _ROUGH)
    batch = BatchData(forms, forms, list(range(10_001, 10_001 + _TRAINED)), [0] * _TRAINED, predictions.kept)
    return parameters_on_the_way(FitJob(model, methodology), batch, predictions, _EPOCHS)
