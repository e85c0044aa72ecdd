"""`MetaModel.accepted_optimizers`: the optimizers by name, with the arguments each accepts and their defaults."""

from __future__ import annotations

from collections.abc import Mapping

from hyperparton.catalogue import OPTIMIZERS
from hyperparton.nn.optimizers import RULES, Rule

__all__ = ["MetaModel"]


class MetaModel:
    """Optimizers that a runcard can name: name -> (rule, {argument: default})."""

    accepted_optimizers: Mapping[str, tuple[Rule, Mapping[str, float | bool]]] = {
        name: (RULES[name], OPTIMIZERS[name]) for name in OPTIMIZERS
    }
