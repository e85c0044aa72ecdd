"""A trainer of one's own: scikit-learn's perceptron on its diabetes data (442 patients, 10 features).

Anything with `set_hyperopt` and `hyperparametrizable` can be scanned; `own_trainer.yml` beside this file is the card
that does it. With `refit` a scan also tells at its end which of the best trials were only lucky.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler


class DiabetesTrainer:
    """k folds of a regression; the loss of a trial is the mean squared error of the hidden folds, over the variance."""

    def __init__(self, folds: int, seed: int) -> None:
        x, y = load_diabetes(return_X_y=True)
        self.x, self.y = StandardScaler().fit_transform(x), (y - y.mean()) / y.std()
        self.folds, self.seed = folds, seed

    def set_hyperopt(self, hyperopt_on: bool, keys: Any = None) -> None:
        """Told once, before the first trial; this trainer has nothing to prepare."""

    def hyperparametrizable(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Fit one set of parameters; a result needs `status` and `loss`, everything else is kept with the trial."""
        losses = self._fold_losses(params, self.seed)
        return {"status": "ok", "loss": float(np.mean(losses)), "fold_losses": losses}

    def refit(self, params: Mapping[str, Any], replicas: Sequence[int]) -> dict[str, Any]:
        """Fit again with other folds and other networks: each number of `replicas` has random numbers of its own."""
        losses = [float(np.mean(self._fold_losses(params, self.seed + number))) for number in replicas]
        return {"status": "ok", "loss": float(np.mean(losses)), "replica_losses": losses}

    def _fold_losses(self, params: Mapping[str, Any], seed: int) -> list[float]:
        losses = []
        for train, hidden in KFold(self.folds, shuffle=True, random_state=seed).split(self.x):
            model = MLPRegressor(
                hidden_layer_sizes=[params["nodes"]] * params["layers"],
                activation=params["activation"],
                learning_rate_init=params["learning_rate"],
                alpha=params["weight_decay"],
                max_iter=params["epochs"],
                random_state=seed,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is scanned
                model.fit(self.x[train], self.y[train])
            losses.append(float(np.mean((model.predict(self.x[hidden]) - self.y[hidden]) ** 2)))
        return losses


def make_trainer(card: Mapping[str, Any]) -> DiabetesTrainer:
    """The factory that the card names; it receives the card's content."""
    return DiabetesTrainer(folds=card["folds"], seed=card["split_seed"])
