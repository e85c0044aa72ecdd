"""The preprocessing factor x^(1-alpha) (1-x)^beta (arXiv:2109.02653, eq. 3.7).

Exponents are drawn per replica, uniformly in the runcard's ranges; those of trainable elements are fitted and
kept within their range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Preprocessing"]


@dataclass(frozen=True)
class Preprocessing:
    """Ranges of the exponents, one entry per element of the fitting basis.

    `large_x` False drops the factor (1-x)^beta, as feature scaling does (the network is then subtracted at x = 1).
    """

    smallx: tuple[tuple[float, float], ...]
    largex: tuple[tuple[float, float], ...]
    trainable: tuple[bool, ...]
    large_x: bool = True

    @property
    def any_trainable(self) -> bool:
        return any(self.trainable)

    def draw(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """Exponents `alpha` and `beta`, each (model, flav) float32, one model per seed."""
        low = np.array([*(r[0] for r in self.smallx), *(r[0] for r in self.largex)])
        high = np.array([*(r[1] for r in self.smallx), *(r[1] for r in self.largex)])
        n = len(self.smallx)
        drawn = np.stack([np.random.default_rng([int(seed), 1 << 20]).uniform(low, high) for seed in seeds])
        drawn = drawn.astype(np.float32)
        beta = drawn[:, n:] if self.large_x else np.zeros_like(drawn[:, n:])
        return {"alpha": drawn[:, :n], "beta": beta}

    def clamp(self, exponents: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Exponents `alpha` and `beta`, each (model, flav), moved back into their ranges."""
        alpha, beta = (np.array(r, np.float32).T for r in (self.smallx, self.largex))
        clamped = {"alpha": jnp.clip(exponents["alpha"], alpha[0], alpha[1])}
        clamped["beta"] = jnp.clip(exponents["beta"], beta[0], beta[1]) if self.large_x else exponents["beta"]
        return clamped

    @staticmethod
    def factor(exponents: Mapping[str, np.ndarray], log_x: np.ndarray, log_1mx: np.ndarray) -> np.ndarray:
        """x^(1-alpha) (1-x)^beta, shape (model, x, flav), from log x and log (1-x), each (x,).

        At x = 1 `log_1mx` is -inf and the factor is 0 for beta > 0, 1 for beta = 0.
        """
        alpha, beta = exponents["alpha"][:, None, :], exponents["beta"][:, None, :]
        at_one = np.isinf(log_1mx)[None, :, None]
        power = (1.0 - alpha) * log_x[None, :, None] + beta * np.where(np.isinf(log_1mx), 0.0, log_1mx)[None, :, None]
        return np.where(at_one & (beta > 0), 0.0, np.exp(power))
