"""The optimizers of the family `MomentRule` one by one, as Keras 3 writes them: the reference of the common update.

`RULES[name]` is (slots at the start, update); update(gradient, slots, step, hyper) returns (what is added to the
parameter, new slots), and `step` counts updates from 1.
"""

import jax.numpy as jnp

EPSILON = 1e-7
BETA_1, BETA_2 = 0.9, 0.999


def zeros(count):
    return lambda parameter: tuple(jnp.zeros_like(parameter) for _ in range(count))


def towards(old, new, beta):
    return old + (new - old) * (1.0 - beta)


def rmsprop(g, slots, step, hyper):
    (v,) = slots
    v = 0.9 * v + 0.1 * g * g
    return -hyper["learning_rate"] * g / jnp.sqrt(v + EPSILON), (v,)


def adam(g, slots, step, hyper):
    m, v = slots
    m, v = towards(m, g, BETA_1), towards(v, g * g, BETA_2)
    rate = hyper["learning_rate"] * jnp.sqrt(1.0 - BETA_2**step) / (1.0 - BETA_1**step)
    return -rate * m / (jnp.sqrt(v) + EPSILON), (m, v)


def adagrad(g, slots, step, hyper):
    (total,) = slots
    total = total + g * g
    return -hyper["learning_rate"] * g / jnp.sqrt(total + EPSILON), (total,)


def nadam_momentum(step):
    # Dozat, "Incorporating Nesterov momentum into Adam" (2016), with Keras's schedule 0.96^t
    return BETA_1 * (1.0 - 0.5 * 0.96**step)


def nadam(g, slots, step, hyper):
    m, v, product = slots
    now, following = nadam_momentum(step), nadam_momentum(step + 1.0)
    product = product * now
    m, v = towards(m, g, BETA_1), towards(v, g * g, BETA_2)
    m_hat = following * m / (1.0 - product * following) + (1.0 - now) * g / (1.0 - product)
    v_hat = v / (1.0 - BETA_2**step)
    return -hyper["learning_rate"] * m_hat / (jnp.sqrt(v_hat) + EPSILON), (m, v, product)


def sgd(g, slots, step, hyper):
    (velocity,) = slots
    pull = -hyper["learning_rate"] * g
    velocity = hyper["momentum"] * velocity + pull
    return jnp.where(hyper["nesterov"] > 0, hyper["momentum"] * velocity + pull, velocity), (velocity,)


RULES = {
    "RMSprop": (zeros(1), rmsprop),
    "Adam": (zeros(2), adam),
    "Adagrad": (lambda p: (jnp.full_like(p, 0.1),), adagrad),
    # the running product of momenta is one number for all parameters
    "Nadam": (lambda p: (*zeros(2)(p), jnp.ones((), p.dtype)), nadam),
    "SGD": (zeros(1), sgd),
}
