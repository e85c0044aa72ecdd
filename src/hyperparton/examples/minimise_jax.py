"""A scan of a fit in JAX: how many Fourier modes, how strongly they are damped, and how fast gradient descent goes.

python minimise_jax.py
hyperparton report scans/jax
"""

from functools import partial

import jax
import jax.numpy as jnp

from hyperparton import hp_loguniform, hp_quniform, minimise

X = jnp.linspace(0, 1, 120)
TRUTH = jnp.sin(5 * X) + 0.5 * jnp.cos(13 * X)

SPACE = {
    "modes": hp_quniform("modes", 2, 20, step_size=1, make_int=True),
    "damping": hp_loguniform("damping", 1e-6, 1.0),
    "rate": hp_loguniform("rate", 1e-3, 1.0),
}


@partial(jax.jit, static_argnames="modes")
def fitted(modes, damping, rate, y, weights):
    """The amplitudes after 500 steps of gradient descent on the points with weight 1."""
    basis = jnp.cos(jnp.pi * jnp.outer(X, jnp.arange(modes)))

    def loss(a):
        return jnp.mean(weights * (basis @ a - y) ** 2) + damping * jnp.mean(a**2)

    a = jax.lax.fori_loop(0, 500, lambda _, a: a - rate * jax.grad(loss)(a), jnp.zeros(modes))
    return basis @ a


def error(params, seed):
    """The mean squared error on the points with weight 0; `seed` draws noise and split."""
    noise, split = jax.random.split(jax.random.key(seed))
    y = TRUTH + 0.2 * jax.random.normal(noise, X.shape)
    weights = jax.random.bernoulli(split, 0.7, X.shape).astype(float)
    found = fitted(params["modes"], params["damping"], params["rate"], y, weights)
    return jnp.sum((1 - weights) * (found - y) ** 2) / jnp.sum(1 - weights)


if __name__ == "__main__":
    best = minimise(error, SPACE, trials=30, output="scans/jax")
    print(f"trial {best.trial}: mean squared error {best.loss:.4f} with {best.parameters}")
