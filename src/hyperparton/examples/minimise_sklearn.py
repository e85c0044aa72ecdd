"""A scan of scikit-learn's models: an SVM or a forest for handwritten digits, each with hyperparameters of its own.

python minimise_sklearn.py
hyperparton report scans/sklearn
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC

from hyperparton import hp_choice, hp_loguniform, hp_quniform, minimise

X, Y = load_digits(return_X_y=True)
X, Y = X[:600], Y[:600]

SPACE = {
    "model": hp_choice(
        "model",
        [
            {"name": "svm", "C": hp_loguniform("C", 1e-2, 1e3), "gamma": hp_loguniform("gamma", 1e-6, 1e-1)},
            {
                "name": "forest",
                "trees": hp_quniform("trees", 5, 50, step_size=5, make_int=True),
                "depth": hp_quniform("depth", 2, 20, step_size=1, make_int=True),
            },
        ],
    )
}


def error(params, seed):
    """The share of digits that are not recognised in five folds; `seed` shuffles the folds."""
    chosen = params["model"]
    if chosen["name"] == "svm":
        model = SVC(C=chosen["C"], gamma=chosen["gamma"])
    else:
        model = RandomForestClassifier(chosen["trees"], max_depth=chosen["depth"], random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return 1 - cross_val_score(model, X, Y, cv=folds).mean()


if __name__ == "__main__":
    best = minimise(error, SPACE, trials=30, output="scans/sklearn")
    print(f"trial {best.trial}: {best.loss:.4f} of the digits are not recognised with {best.parameters}")
