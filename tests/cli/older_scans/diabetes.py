"""The trainer of the scans that an older version began: scikit-learn's perceptron on its diabetes data.

It is like `examples/own_trainer.py`, and reports the loss as it goes, so that its trials can be pruned.
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

#: epochs between two reports
EVERY = 5


class DiabetesTrainer:
    """k folds of a regression; the loss is the mean squared error of the hidden folds, over the variance."""

    report = None

    def __init__(self, folds, seed):
        x, y = load_diabetes(return_X_y=True)
        self.x, self.y = StandardScaler().fit_transform(x), (y - y.mean()) / y.std()
        self.folds, self.seed = folds, seed

    def set_hyperopt(self, hyperopt_on, keys=None):
        """Nothing to prepare."""

    def hyperparametrizable(self, params):
        """A trial; one that is worse than the mean of the data has failed."""
        splits = list(KFold(self.folds, shuffle=True, random_state=self.seed).split(self.x))
        models = [self.model(params) for _ in splits]
        losses = []
        for epoch in range(1, params["epochs"] + 1):
            for model, (train, _) in zip(models, splits, strict=True):
                model.partial_fit(self.x[train], self.y[train])
            if epoch % EVERY == 0:
                losses = [self.error(model, hidden) for model, (_, hidden) in zip(models, splits, strict=True)]
                if self.report is not None:
                    self.report(epoch, float(np.mean(losses)), losses, params["epochs"])
        loss = float(np.mean(losses))
        return {"status": "ok" if loss < 1 else "fail", "loss": loss, "fold_losses": losses}

    def model(self, params):
        return MLPRegressor(
            hidden_layer_sizes=[params["nodes"]] * params["layers"],
            activation=params["activation"],
            solver=params["solver"],
            learning_rate_init=params["learning_rate"],
            alpha=params["weight_decay"],
            random_state=self.seed,
        )

    def error(self, model, hidden):
        return float(np.mean((model.predict(self.x[hidden]) - self.y[hidden]) ** 2))


def make_trainer(card):
    """The factory that the card names."""
    return DiabetesTrainer(folds=card["folds"], seed=card["split_seed"])
