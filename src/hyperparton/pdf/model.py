"""The PDF model: x f_k(x, Q0) = A_k x^(1-alpha_k) (1-x)^beta_k NN_k(x, log x) in the working basis.

`PDFModel` holds what does not change in a fit (architecture, bases, the points where it is evaluated);
`ModelParameters` are what a fit changes: nested dictionaries of arrays with a leading axis `model`.  Everything here is
numpy in double precision, for what is reported; `pdf.batched` is the same for what is compiled and trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.errors import TrainingError
from hyperparton.pdf.bases import fit_to_working, working_basis, working_to_evolution
from hyperparton.pdf.network import Architecture, forward, initial_weights
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.pdf.sum_rules import Quadrature, normalisation, quadrature
from hyperparton.runcard.card import Fitting

__all__ = ["ModelParameters", "PDFModel", "Points", "Start", "build_model"]

#: `layers` as in `pdf.network`, `exponents` as `Preprocessing.draw` returns them
ModelParameters = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Points:
    """What a model needs of the x values at which it is evaluated."""

    inputs: np.ndarray
    """(x, in): what the network sees"""
    log_x: np.ndarray
    """(x,)"""
    log_1mx: np.ndarray
    """(x,), -inf at x = 1"""


@dataclass(frozen=True)
class PDFModel:
    """Everything of the parametrisation but its numbers.

    Equal models share compiled programs.  `scaling` does not take part in the comparison: whether there is one
    shows in `architecture.inputs`, and its values enter through `points`.
    """

    architecture: Architecture
    fitbasis: str
    elements: tuple[str, ...]
    preprocessing: Preprocessing
    sum_rules: str | None = "All"
    scaling: Callable[[np.ndarray], np.ndarray] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.architecture.inputs != (2 if self.scaling is None else 1):
            raise TrainingError(f"a network of {self.architecture.inputs} inputs does not fit the feature scaling")
        if self.architecture.flavours != len(self.elements):
            raise TrainingError(
                f"the last layer needs one node per element of the basis, {len(self.elements)}, "
                f"given: {self.architecture.flavours}"
            )

    @cached_property
    def working(self) -> tuple[str, ...]:
        """The elements of the working basis."""
        return working_basis(self.fitbasis, self.sum_rules)

    @cached_property
    def rotation(self) -> np.ndarray:
        """(flav, working)"""
        return fit_to_working(self.fitbasis, self.elements, self.working).T

    @cached_property
    def rule(self) -> Quadrature:
        # the interpolated scaling has jumps in its second derivative, so it needs more nodes for the same accuracy
        return quadrature() if self.scaling is None else quadrature(40, 40)

    def start(self, initializer: str, seeds: Sequence[int]) -> ModelParameters:
        """Initial parameters, one model per seed: `layers` as in `pdf.network`, exponents `alpha` and `beta`."""
        layers = initial_weights(self.architecture, initializer, seeds)
        return {"layers": layers, "exponents": self.preprocessing.draw(seeds)}

    def points(self, x: np.ndarray) -> Points:
        """The points at which the model is to be evaluated, with the nodes of the sum rules behind them."""
        return self.points_at(np.concatenate([np.asarray(x, float), self.rule.x]))

    def points_at(self, x: np.ndarray) -> Points:
        """The points `x` (x,) alone; with feature scaling the inputs end with those of x = 1."""
        inputs = np.stack([x, np.log(x)], axis=-1) if self.scaling is None else self.scaling(np.append(x, 1.0))[:, None]
        with np.errstate(divide="ignore"):
            return Points(inputs, np.log(x), np.log1p(-x))

    def unnormalised(self, parameters: ModelParameters, points: Points) -> np.ndarray:
        """x f before the sum rules in the working basis: (model, x, working)."""
        network = forward(self.architecture, parameters["layers"], points.inputs)
        if self.scaling is not None:
            network = network[:, :-1] - network[:, -1:]
        factor = Preprocessing.factor(parameters["exponents"], points.log_x, points.log_1mx)
        return np.einsum("mxf,fw->mxw", factor * network, np.asarray(self.rotation, network.dtype))

    def integrals(self, xf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Integrals of x f and of f, each (model, working), of values on the nodes of the sum rules."""
        momentum = np.einsum("mxw,x->mw", xf, np.asarray(self.rule.momentum, xf.dtype))
        return momentum, np.einsum("mxw,x->mw", xf, np.asarray(self.rule.valence, xf.dtype))

    def xf(self, parameters: ModelParameters, points: Points) -> np.ndarray:
        """Normalised x f (model, x, working) at the x that `points` was called with."""
        raw = self.unnormalised(parameters, points)
        wanted = raw.shape[1] - len(self.rule.x)
        if self.sum_rules is None:
            return raw[:, :wanted]
        scale = normalisation(*self.integrals(raw[:, wanted:]), self.sum_rules, np)
        return raw[:, :wanted] * scale[:, None, :]

    def evaluate(self, parameters: ModelParameters, x: np.ndarray) -> np.ndarray:
        """x f (model, x, working) in double precision with numpy."""
        double = _map(parameters, lambda a: np.asarray(a, np.float64))
        return self.xf(double, self.points(x))

    def evaluate_evolution(self, parameters: ModelParameters, x: np.ndarray) -> np.ndarray:
        """x f (model, x, evol) in the 14-flavour evolution basis, double precision."""
        return self.evaluate(parameters, x) @ working_to_evolution(self.working).T


#: parameters of a model with which the replicas of these numbers begin
Start = Callable[[PDFModel, Sequence[int]], ModelParameters]


def build_model(
    fitting: Fitting,
    nodes: Sequence[int],
    activations: Sequence[str],
    layer_type: str,
    *,
    sum_rules: str | None,
    scaling: Callable[[np.ndarray], np.ndarray] | None,
) -> PDFModel:
    """The model of a runcard's section `fitting` with a network of these layers.

    With `scaling` (see `pdf.feature_scaling`) the network sees the scaled x alone, and there is no factor (1-x)^beta.
    """
    preprocessing = Preprocessing(
        smallx=tuple(e.smallx for e in fitting.basis),
        largex=tuple(e.largex for e in fitting.basis),
        trainable=tuple(e.trainable for e in fitting.basis),
        large_x=scaling is None,
    )
    architecture = Architecture(tuple(nodes), tuple(activations), layer_type, 2 if scaling is None else 1)
    elements = tuple(e.fl for e in fitting.basis)
    return PDFModel(architecture, fitting.fitbasis, elements, preprocessing, sum_rules, scaling)


def _map(tree: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of every array in nested dictionaries and lists (jax.tree without jax)."""
    if isinstance(tree, dict):
        return {key: _map(value, function) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_map(value, function) for value in tree]
    return function(tree)
