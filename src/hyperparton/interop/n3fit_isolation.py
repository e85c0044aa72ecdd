"""n3fit's ModelTrainer as a trainer whose trials do not depend on those before them in its process.

In n3fit 4.1.5 three things outlive a trial, so its result depends on the trials before it in the process:

- The first values of the positivity and integrability multipliers are appended to lists that are never emptied. From
  the second fold on n3fit sets the multipliers from the beginning of these lists, which is the first trial's.
- validphys keeps predictions by the PDF's name, which is the same in all trials: metrics, and the penalty of the loss
  that is made of them, are those of the first trial.
- Dropout is drawn from generators of the process, which nobody has seeded.

Here every trial begins as the first of a process does, and dropout is drawn from the seeds of the replicas.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pkgutil import resolve_name
from typing import Any

import numpy as np

from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import Trainer
from hyperparton.scan.worker_process import Recipe

__all__ = ["as_recipe", "as_trainer", "build"]

#: n3fit's class, by its name: where a trainer of it is, n3fit and what it needs are loaded already
_THEIRS = ("n3fit.model_trainer", "ModelTrainer")

#: attributes of n3fit's trainer that hold the lists
_SECTIONS = ("training", "validation", "experimental")


def as_trainer(trainer: Trainer) -> Trainer:
    """`trainer` as it is, or with its trials made independent of each other if it is n3fit's.

    One of n3fit's must not have run a trial yet.
    """
    classes = {(each.__module__, each.__name__) for each in type(trainer).__mro__}
    return N3FitTrainer(trainer) if _THEIRS in classes else trainer


def as_recipe(recipe: Recipe) -> Recipe:
    """A recipe whose trainer is what `as_trainer` makes of that of `recipe`."""
    arguments = {"builder": recipe.builder, "arguments": dict(recipe.arguments)}
    return Recipe(f"{__name__}:{build.__name__}", arguments, recipe.folders)


def build(builder: str, arguments: Mapping[str, Any]) -> tuple[Trainer, HyperScanner]:
    """(trainer, HyperScanner) of a recipe's `builder` and `arguments`, the trainer by `as_trainer`."""
    trainer, scanner = resolve_name(builder)(**arguments)
    return as_trainer(trainer), scanner


class N3FitTrainer:
    """n3fit's ModelTrainer, reset before each trial to the state in which it was made."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._made = {name: _copied(getattr(trainer, name)) for name in _SECTIONS}
        self._seed = _seed(trainer._nn_seeds)

    def set_hyperopt(self, hyperopt_on: bool, keys: Any = None) -> None:
        """n3fit's own."""
        self._trainer.set_hyperopt(hyperopt_on, keys=keys)

    def hyperparametrizable(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """n3fit's result for these parameters as the first trial of a process."""
        for name, held in self._made.items():
            setattr(self._trainer, name, _copied(held))
        _forget_predictions()
        sys.modules["keras"].utils.set_random_seed(self._seed)
        return self._trainer.hyperparametrizable(params)


def _copied(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with lists of its own."""
    return {key: list(value) if isinstance(value, list) else value for key, value in section.items()}


def _seed(seeds: Iterable[int]) -> int:
    """One seed of 32 bits of the seeds of all replicas."""
    return int(np.random.SeedSequence([int(seed) for seed in seeds]).generate_state(1)[0])


def _forget_predictions() -> None:
    for held in vars(sys.modules["validphys.convolution"]).values():
        if callable(forget := getattr(held, "cache_clear", None)):
            forget()
