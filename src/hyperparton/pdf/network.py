"""The neural network: fully connected, one for all flavours (`dense`) or one for each (`dense_per_flavour`).

Weights carry a leading axis `model`, so that all fits of a trial are one batch: `dense` kernels are (model, in, out),
`dense_per_flavour` kernels (model, flav, in, out).  The pass forward here is that of what is reported, in numpy;
`pdf.batched` has the one that is compiled and trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.nn.activations import ACTIVATION_FUNCTIONS
from hyperparton.nn.initializers import initialize

__all__ = ["Architecture", "dropout_layer", "forward", "initial_weights"]

Array = np.ndarray
Weights = list[dict[str, Array]]


@dataclass(frozen=True)
class Architecture:
    """Shape of a network.  `nodes` lists the layers from the first hidden one to the output."""

    nodes: tuple[int, ...]
    activations: tuple[str, ...]
    layer_type: str = "dense"
    inputs: int = 2

    @property
    def flavours(self) -> int:
        return self.nodes[-1]

    @property
    def per_flavour(self) -> bool:
        return self.layer_type == "dense_per_flavour"

    def shapes(self) -> list[tuple[int, int]]:
        """(in, out) of each layer; per flavour, the last layer has one output for each flavour's network."""
        outs = [*self.nodes[:-1], 1] if self.per_flavour else list(self.nodes)
        return list(zip([self.inputs, *outs[:-1]], outs, strict=True))


def dropout_layer(architecture: Architecture) -> int | None:
    """Index of the layer after which n3fit puts dropout: the last but one of the hidden layers, if there is one."""
    index = len(architecture.nodes) - 3
    return index if index >= 0 else None


def initial_weights(architecture: Architecture, initializer: str, seeds: Sequence[int]) -> Weights:
    """Weights in float32 of one network per seed: kernels from `initializer`, biases zero."""
    return [_initial_layer(architecture, initializer, seeds, i) for i in range(len(architecture.nodes))]


def _initial_layer(architecture: Architecture, initializer: str, seeds: Sequence[int], index: int) -> dict[str, Array]:
    fan_in, fan_out = architecture.shapes()[index]
    copies = architecture.flavours if architecture.per_flavour else 1
    kernels = []
    for seed in seeds:
        rng = np.random.default_rng([int(seed), index])
        kernels.append(np.stack([initialize(initializer, rng, fan_in, fan_out) for _ in range(copies)]))
    kernel = np.stack(kernels)
    if not architecture.per_flavour:
        kernel = kernel[:, 0]
    return {"kernel": kernel, "bias": np.zeros((*kernel.shape[:-2], fan_out), np.float32)}


def forward(architecture: Architecture, weights: Weights, inputs: Array) -> Array:
    """Network outputs (model, x, flav) in numpy for `inputs` (x, in), the same points for every model."""
    h = inputs
    for layer, name in zip(weights, architecture.activations, strict=True):
        bias = layer["bias"][:, :, None, :] if architecture.per_flavour else layer["bias"][:, None, :]
        h = ACTIVATION_FUNCTIONS[name](np, h @ layer["kernel"] + bias)
    return np.swapaxes(h[..., 0], -1, -2) if architecture.per_flavour else h
