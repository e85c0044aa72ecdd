"""The PDF model as compiled programs evaluate it: nodes as rows, points as columns.

The same numbers as `pdf.model` (tests compare them), in the layout (model, node, x) in which the products of
small matrices run at most of the machine's speed: the long axis x is contiguous and a multiple of the vector length.
Hidden layers are padded to one width, a multiple of `WIDTH_STEP`, so that a scan needs a program per depth and few
widths, not one for each combination of widths; padded nodes are kept at zero, so they change nothing and stay as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.nn.activations import ACTIVATION_FUNCTIONS
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture, dropout_layer
from hyperparton.pdf.sum_rule_grid import POINT_STEP, grid_quadrature
from hyperparton.pdf.sum_rules import Quadrature, normalisation

__all__ = [
    "WIDTH_STEP",
    "NetworkShape",
    "NodeMasks",
    "PointArrays",
    "beside",
    "network_shape",
    "node_masks",
    "pad_weights",
    "point_arrays",
    "preprocessing_factor",
    "unpad_weights",
    "xf",
]

Array = jax.Array | np.ndarray
Weights = list[dict[str, Array]]
WIDTH_STEP = 16

#: activations a + b tanh(c x), which one program serves: name -> a, b, c
_TANH_LIKE = {"tanh": (0.0, 1.0, 1.0), "sigmoid": (0.5, 0.5, 0.5)}


class PointArrays(NamedTuple):
    """Arrays of a program that belong to the points."""

    rows: Array
    """(1 + in, x): ones, then the network's inputs"""
    log_x: Array
    """(x,)"""
    log_1mx: Array
    """(x,), 0 in place of -inf at x = 1"""
    below_one: Array
    """(x,) 0 at x = 1, 1 elsewhere"""
    integrals: Array
    """(x, 2): weights of the integrals of x f and of f"""


class NodeMasks(NamedTuple):
    """What tells the networks of a program apart, of each model."""

    nodes: list[Array]
    """per layer (model, node, 1): 1 for nodes, 0 for padding"""
    activations: Array
    """(model, layer, 3): a, b, c of activations a + b tanh(c x)"""


@dataclass(frozen=True)
class NetworkShape:
    """What of a PDF model is compiled into a program; equal ones share it."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    per_flavour: bool
    flavours: int
    inputs: int
    dropout_layer: int | None
    subtracted: bool
    """whether the value at x = 1 (the point after the grid and the sum rules' nodes) is subtracted"""
    grid: int
    """number of x at which the PDF is wanted"""
    points: int
    rotation: tuple[tuple[float, ...], ...] | None
    """(flav, working); None for the identity"""
    sum_rules: str | None

    @property
    def last_less_one(self) -> bool:
        """Whether the value at x = 1 is subtracted from the nodes before a last layer that is linear.

        That is the same, less the rounding of two outputs that are nearly equal; the last bias has no part in it.
        """
        return self.subtracted and len(self.widths) > 1 and self.activations[-1] == "linear"


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def _widths(architecture: Architecture) -> list[int]:
    """One width for all hidden layers: what more they compute is less than compiling a program for each combination."""
    *hidden, last = (o for _, o in architecture.shapes())
    return [_up(max(hidden, default=0), WIDTH_STEP)] * len(hidden) + [last]


def _rule(model: PDFModel, grid: np.ndarray) -> Quadrature:
    """A quadrature of the sum rules whose first nodes are `grid` (x,)."""
    if model.scaling is None:
        return grid_quadrature(tuple(grid.tolist()))
    # weights fitted to networks of x and log x are not good for those of scaled inputs
    return beside(grid, model.rule)


def beside(grid: np.ndarray, own: Quadrature) -> Quadrature:
    """The quadrature `own` with the nodes `grid` (x,), which weigh nothing, before its own."""
    none = np.zeros(len(grid))
    return Quadrature(*(np.concatenate(pair) for pair in ((grid, own.x), (none, own.momentum), (none, own.valence))))


def network_shape(model: PDFModel, grid: np.ndarray) -> NetworkShape:
    """The shape of `model` on the x values `grid` (x,)."""
    architecture = model.architecture
    rule = _rule(model, grid)
    rotation = model.rotation
    names = ("tanh-like" if name in _TANH_LIKE else name for name in architecture.activations)
    return NetworkShape(
        widths=tuple(_widths(architecture)),
        activations=tuple(names),
        per_flavour=architecture.per_flavour,
        flavours=architecture.flavours,
        inputs=architecture.inputs,
        dropout_layer=dropout_layer(architecture),
        subtracted=model.scaling is not None,
        grid=len(grid),
        points=_up(len(rule.x) + (model.scaling is not None), POINT_STEP),
        rotation=None if np.array_equal(rotation, np.eye(len(rotation))) else tuple(map(tuple, rotation.tolist())),
        sum_rules=model.sum_rules,
    )


def point_arrays(model: PDFModel, grid: np.ndarray) -> PointArrays:
    """The arrays of `model` on `grid` (x,) and the nodes of its sum rules; padding repeats the last point's inputs."""
    shape = network_shape(model, grid)
    rule = _rule(model, grid)
    points = model.points_at(rule.x)
    used = len(points.inputs)

    def padded(values: np.ndarray, fill: float) -> np.ndarray:
        return np.concatenate([values, np.full(shape.points - len(values), fill)])

    rows = np.stack(
        [np.ones(shape.points), *(padded(column, points.inputs[-1, i]) for i, column in enumerate(points.inputs.T))]
    )
    below_one = padded(np.isfinite(points.log_1mx).astype(float), 0.0)
    integrals = np.zeros((shape.points, 2))
    integrals[: len(rule.x)] = np.stack([rule.momentum, rule.valence], axis=1)
    assert used <= shape.points
    return PointArrays(
        rows=rows,
        log_x=padded(points.log_x, 0.0),
        log_1mx=padded(np.where(np.isfinite(points.log_1mx), points.log_1mx, 0.0), 0.0),
        below_one=below_one,
        integrals=integrals,
    )


def node_masks(architecture: Architecture, models: int) -> NodeMasks:
    """What tells networks of `architecture` from others of the same shape, `models` times."""
    masks = [
        (np.arange(width) < out).astype(np.float32)[:, None]
        for width, (_, out) in zip(_widths(architecture), architecture.shapes(), strict=True)
    ]
    numbers = [_TANH_LIKE.get(name, (0.0, 1.0, 1.0)) for name in architecture.activations]
    return NodeMasks([np.tile(mask, (models, 1, 1)) for mask in masks], np.tile(np.array(numbers), (models, 1, 1)))


def pad_weights(architecture: Architecture, weights: Weights) -> Weights:
    """Weights of `pdf.network` as padded arrays: kernels (model, [flav,] out, in), biases (model, [flav,] out)."""
    layers, fan_in = [], architecture.inputs
    for layer, width in zip(weights, _widths(architecture), strict=True):
        kernel, bias = np.swapaxes(np.asarray(layer["kernel"]), -1, -2), np.asarray(layer["bias"])
        extra = width - kernel.shape[-2]
        none = [(0, 0)] * (kernel.ndim - 2)
        kernel = np.pad(kernel, [*none, (0, extra), (0, fan_in - kernel.shape[-1])])
        layers.append({"kernel": kernel, "bias": np.pad(bias, [*none, (0, extra)])})
        fan_in = width
    return layers


def unpad_weights(architecture: Architecture, weights: Weights) -> Weights:
    """The inverse of `pad_weights`."""
    layers = []
    for layer, (fan_in, fan_out) in zip(weights, architecture.shapes(), strict=True):
        kernel = np.asarray(layer["kernel"])[..., :fan_out, :fan_in]
        layers.append({"kernel": np.swapaxes(kernel, -1, -2), "bias": np.asarray(layer["bias"])[..., :fan_out]})
    return layers


@jax.custom_vjp
def _product(kernel: Array, h: Array) -> Array:
    """(model, out, in) times (model, in, x); per flavour, the networks of a model follow each other."""
    return jnp.einsum("moi,mix->mox", kernel, h)


def _product_forward(kernel: Array, h: Array) -> tuple[Array, tuple[Array, Array]]:
    return _product(kernel, h), (kernel, h)


def _product_backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    kernel, h = saved
    # transposed beforehand: a product of transposed small matrices takes longer than transposing them
    turned = jax.lax.optimization_barrier(jnp.swapaxes(kernel, 1, 2))
    return jnp.einsum("mox,mix->moi", gradient, h), jnp.einsum("mio,mox->mix", turned, gradient)


_product.defvjp(_product_forward, _product_backward)


@jax.custom_vjp
def _add_bias(bias: Array, z: Array, ones: Array) -> Array:
    return z + bias[:, :, None]


# the gradient as a product with ones: a sum over the contiguous axis alone is not vectorised
_add_bias.defvjp(
    lambda bias, z, ones: (z + bias[:, :, None], ones),
    lambda ones, gradient: (jnp.einsum("mox,x->mo", gradient, ones), gradient, jnp.zeros_like(ones)),
)


@jax.custom_vjp
def _first(kernel: Array, bias: Array, rows: Array) -> Array:
    """The first layer (model, out, x): inputs are the same for all models, so it is a sum of few terms."""
    z = bias[:, :, None]
    for i in range(kernel.shape[2]):
        z = z + kernel[:, :, i : i + 1] * rows[i + 1]
    return z


def _first_backward(rows: Array, gradient: Array) -> tuple[Array, Array, Array]:
    both = jnp.einsum("mox,kx->mok", gradient, rows)
    return both[:, :, 1:], both[:, :, 0], jnp.zeros_like(rows)


_first.defvjp(lambda kernel, bias, rows: (_first(kernel, bias, rows), rows), _first_backward)


@jax.custom_vjp
def _less_one(h: Array, ones: Array) -> Array:
    """h (model, node, x) less its values at x = 1, the last point: it comes after the nodes of the sum rules."""
    return h - h[:, :, -1:]


_less_one.defvjp(
    lambda h, ones: (h - h[:, :, -1:], ones),
    lambda ones, gradient: (
        gradient.at[:, :, -1].add(-jnp.einsum("mox,x->mo", gradient, ones)),
        jnp.zeros_like(ones),
    ),
)


def _activate(shape: NetworkShape, masks: NodeMasks, layer: int, z: Array) -> Array:
    name = shape.activations[layer]
    # per flavour, the networks of a model follow each other
    copies = len(z) // len(masks.activations)
    mask = jnp.repeat(masks.nodes[layer], copies, axis=0)
    if name == "tanh-like":
        a, b, c = jnp.repeat(masks.activations[:, layer], copies, axis=0).T[:, :, None, None]
        return (a + b * jnp.tanh(c * z)) * mask
    if name == "square_singlet":
        return jnp.concatenate([z[:, :2] ** 2, z[:, 2:]], axis=1) * mask
    return ACTIVATION_FUNCTIONS[name](jnp, z) * mask


def _layers(
    shape: NetworkShape, points: PointArrays, masks: NodeMasks, weights: Weights, h: Array | None, layers: Sequence[int]
) -> Array:
    for i in layers:
        kernel = jnp.reshape(weights[i]["kernel"], (-1, *weights[i]["kernel"].shape[-2:]))
        bias = jnp.reshape(weights[i]["bias"], (-1, weights[i]["bias"].shape[-1]))
        if h is None:
            z = _first(kernel, bias, points.rows)
        elif shape.last_less_one and i + 1 == len(shape.widths):
            z = _product(kernel, _less_one(h, points.rows[0]))
        else:
            z = _add_bias(bias, _product(kernel, h), points.rows[0])
        h = z if shape.activations[i] == "linear" and i + 1 == len(shape.widths) else _activate(shape, masks, i, z)
    assert h is not None
    return h


def _network(
    shape: NetworkShape, points: PointArrays, masks: NodeMasks, weights: Weights, dropout: Array | None
) -> tuple[Array, Array]:
    """Outputs (model, flav, x) with dropout, and without it (no gradient flows there)."""
    depth = len(shape.widths)

    def outputs(h: Array) -> Array:
        # per flavour, the batch is (model, flav) and every network has one output
        return jnp.reshape(h, (-1, shape.flavours, shape.points))

    if dropout is None:
        plain = outputs(_layers(shape, points, masks, weights, None, range(depth)))
        return plain, plain
    assert shape.dropout_layer is not None
    before, after = range(shape.dropout_layer + 1), range(shape.dropout_layer + 1, depth)
    h = _layers(shape, points, masks, weights, None, before)
    dropped = outputs(_layers(shape, points, masks, weights, h * jnp.reshape(dropout, h.shape), after))
    fixed = jax.lax.stop_gradient((weights, h))
    return dropped, outputs(_layers(shape, points, masks, *fixed, after))


def preprocessing_factor(exponents: Mapping[str, Array], points: PointArrays) -> Array:
    """x^(1-alpha) (1-x)^beta (model, flav, x); at x = 1 it is 0 for beta > 0, 1 for beta = 0."""
    alpha, beta = exponents["alpha"][:, :, None], exponents["beta"][:, :, None]
    power = jnp.exp((1.0 - alpha) * points.log_x + beta * points.log_1mx)
    return jnp.where((points.below_one == 0) & (beta > 0), 0.0, power)


def _normalised(shape: NetworkShape, points: PointArrays, network: Array, factor: Array) -> Array:
    if shape.subtracted and not shape.last_less_one:
        # the last point is x = 1, and padding repeats it
        network = network - network[:, :, shape.points - 1 :]
    raw = factor * network
    if shape.rotation is not None:
        raw = jnp.einsum("mfx,fw->mwx", raw, jnp.asarray(shape.rotation, raw.dtype))
    if shape.sum_rules is None:
        return raw[:, :, : shape.grid]
    integrals = jnp.einsum("mwx,xk->mwk", raw, points.integrals)
    scale = normalisation(integrals[:, :, 0], integrals[:, :, 1], shape.sum_rules, jnp)
    return raw[:, :, : shape.grid] * scale[:, :, None]


def xf(
    shape: NetworkShape,
    points: PointArrays,
    masks: NodeMasks,
    weights: Weights,
    factor: Array,
    dropout: Array | None = None,
) -> tuple[Array, Array]:
    """Normalised x f (model, working, x) on the grid, with `dropout` and without it.

    `factor` is `preprocessing_factor`; `dropout` multiplies the layer `NetworkShape.dropout_layer`.  Without
    `dropout` both are the same array; with it no gradient flows through the second.
    """
    dropped, plain = _network(shape, points, masks, weights, dropout)
    first = _normalised(shape, points, dropped, factor)
    if dropout is None:
        return first, first
    return first, _normalised(shape, points, plain, jax.lax.stop_gradient(factor))
