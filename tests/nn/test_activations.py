"""Activations against those of n3fit 4.1.5 and Keras; the numbers are made by oracle/make_fit_reference.py."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.nn.activations import ACTIVATION_FUNCTIONS as FUNCTIONS

REFERENCE = np.load(Path(__file__).parents[1] / "oracle" / "data" / "fit_reference.npz")


@pytest.mark.parametrize(
    "name", [k.split("/")[1] for k in REFERENCE.files if k.startswith("activation/") and k != "activation/z"]
)
def test_activation(name):
    z = REFERENCE["activation/z"]
    for xp in (np, jnp):
        np.testing.assert_allclose(FUNCTIONS[name](xp, xp.asarray(z)), REFERENCE[f"activation/{name}"], atol=1e-6)
