"""Dropout: which nodes are switched off in an epoch, from a hash of model, epoch, node and point.

A counter-based hash in place of a general random generator, because the numbers of an epoch would otherwise cost as
much as a layer of the network.  A node's numbers do not depend on the widths that the network is padded to.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.pdf.batched import NetworkShape

__all__ = ["dropout_mask", "mix"]

Array = jax.Array | np.ndarray
# odd constants that keep counters of different axes apart: the fractional parts of the golden ratio and of sqrt(2)
_NODE, _EPOCH = 0x9E3779B1, 0x6A09E667


def mix(x: Array) -> Array:
    """A permutation of the 32-bit integers whose outputs look independent of each other.

    Two rounds of xor-shift and multiply, constants from C. Wellons, "Prospecting for hash functions" (2018).
    """
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return x ^ (x >> 16)


def dropout_mask(shape: NetworkShape, keys: Array, rate: Array, epoch: Array) -> Array:
    """What multiplies the outputs of the dropout layer, (model, [flav,] node, x): 0 or 1/(1 - rate).

    keys (model,) uint32, rate (model,), epoch ().
    """
    assert shape.dropout_layer is not None
    nodes = shape.widths[shape.dropout_layer]
    copies = shape.flavours if shape.per_flavour else 1
    seeds = mix(mix(keys) + epoch.astype(jnp.uint32) * np.uint32(_EPOCH))
    # seeds of rows are mixed again, so that two rows are not shifted copies of each other
    row = (np.arange(copies, dtype=np.uint32)[:, None] << 16) + np.arange(nodes, dtype=np.uint32) + np.uint32(1)
    rows = mix(seeds[:, None, None] ^ (row * np.uint32(_NODE)))
    drawn = mix(rows[..., None] + np.arange(shape.points, dtype=np.uint32) * np.uint32(_NODE))
    threshold = (rate * np.float32(2.0**24)).astype(jnp.uint32)
    per_model = (slice(None), None, None, None)
    mask = jnp.where(drawn >> 8 >= threshold[per_model], (1.0 / (1.0 - rate))[per_model], 0.0)
    return mask if shape.per_flavour else mask[:, 0]
