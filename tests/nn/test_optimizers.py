"""Optimizers against Keras 3, and the common update of a family against its optimizers one by one.

The numbers of Keras are made by oracle/make_fit_reference.py.
"""

import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.nn.optimizers import (
    RULES,
    MomentRule,
    clip_by_norm,
    hyperparameters,
    moment_update,
)
from hyperparton.runcard.parameters import Optimizer

HERE = Path(__file__).parent
REFERENCE = np.load(HERE.parent / "oracle" / "data" / "fit_reference.npz")
REFERENCE_RULES = runpy.run_path(str(HERE / "reference_optimizers.py"))["RULES"]


@pytest.mark.parametrize("name", sorted(REFERENCE_RULES))
def test_the_family_of_optimizers(name):
    """Coefficients of the common update against the rules one by one, which are those of Keras."""
    options = {"optimizer_name": name} | ({"momentum": 0.7, "nesterov": True} if name == "SGD" else {})
    numbers = hyperparameters(Optimizer.model_validate(options))
    hyper, rule = {key: jnp.float32(value) for key, value in numbers.items()}, RULES[name]
    begin, update = REFERENCE_RULES[name]
    value = other = jnp.zeros(5)
    slots, moments = begin(value), rule.start(np.zeros(5, np.float32))
    rows = np.concatenate([rule.schedule(numbers, first, 50) for first in (0, 50)])
    rng = np.random.default_rng(1)
    for step, row in enumerate(rows):
        gradient = jnp.asarray(rng.normal(size=5) * 10.0 ** -(step % 6), jnp.float32)
        delta, slots = update(gradient, slots, jnp.float32(step + 1), hyper)
        moved, moments = moment_update(gradient, moments, row, hyper["learning_rate"])
        value, other = value + delta, other + moved
    np.testing.assert_allclose(other, value, atol=2e-5 * float(jnp.abs(value).max()))


def test_the_family_is_all_that_have_no_update_of_their_own():
    assert {name for name, rule in RULES.items() if isinstance(rule, MomentRule)} == set(REFERENCE_RULES)


def path_of(name, options, reference):
    """Values after each step with Keras's gradients, by the rules of the reference or by those that run."""
    numbers = hyperparameters(Optimizer.model_validate({"optimizer_name": name, **options}))
    hyper, rule = {k: jnp.float32(v) for k, v in numbers.items()}, RULES[name]
    value, path = jnp.asarray(REFERENCE["optimizer/start"]), []
    begin, update = REFERENCE_RULES[name] if reference else (rule.start, getattr(rule, "update", None))
    slots = begin(value)
    for step, gradient in enumerate(REFERENCE["optimizer/gradients"]):
        gradient = clip_by_norm(gradient, jnp.linalg.norm(gradient), hyper["clipnorm"])
        if update is None:
            (row,) = rule.schedule(numbers, step, 1)
            delta, slots = moment_update(gradient, slots, row, hyper["learning_rate"])
        else:
            delta, slots = update(gradient, slots, jnp.float32(step + 1), hyper)
        value = value + delta
        path.append(np.asarray(value))
    return np.array(path)


@pytest.mark.parametrize("clip", ["clip", "noclip"])
@pytest.mark.parametrize(
    ("name", "reference"), [*((name, False) for name in RULES), *((name, True) for name in REFERENCE_RULES)]
)
def test_optimizer_path(name, reference, clip):
    """60 steps with gradients between 1 and 1e-7, where the place of epsilon matters, against Keras."""
    options = {"clipnorm": 1e-3 if clip == "clip" else 1e6}
    if name == "SGD":
        options.update(momentum=0.9, nesterov=True)
    expected = REFERENCE[f"optimizer/{name}/{clip}"]
    moved = np.abs(expected - REFERENCE["optimizer/start"]).max()
    assert np.max(np.abs(path_of(name, options, reference) - expected)) < max(1e-5 * moved, 3e-7)
