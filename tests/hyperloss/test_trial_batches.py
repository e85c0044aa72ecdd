"""Trials trained together come out as they do alone, to the last digit."""

import json

import pytest

from hyperparton.errors import TrainingError, TrialPrunedError
from hyperparton.fit import train
from hyperparton.hyperloss.trainer import ModelTrainer

ADAM = {"optimizer_name": "Adam", "learning_rate": 3e-3, "clipnorm": 1e-4}
#: what differs between trials that share a program, and a few that do not
CHANGES = [
    {},
    {"nodes_per_layer": [9, 7, 8], "activation_per_layer": ["sigmoid", "tanh", "linear"]},
    {"optimizer": ADAM, "epochs": 260, "positivity": {"initial": 3.0, "multiplier": 1.3}},
    {"optimizer": ADAM, "stopping_patience": 0.05, "initializer": "glorot_uniform", "threshold_chi2": 1e9},
    {"dropout": 0.1},
    {"dropout": 0.3, "epochs": 90},
    {"nodes_per_layer": [6, 8], "activation_per_layer": ["tanh", "linear"]},
]


@pytest.fixture
def trainer(make_card, data):
    def make(replicas):
        kfold = {"partitions": [{"datasets": [name]} for name in ("NMC_NC_NOTFIXED_EM-F2", "SLAC_NC_NOTFIXED_P_EM-F2")]}
        made = ModelTrainer.from_runcard(make_card(kfold=kfold), data, range(1, replicas + 1))
        made.set_hyperopt(True, [])
        return made

    return make


def parameters(trainer_card, changes):
    return [{**trainer_card, **change} for change in changes]


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_together_as_alone(trainer, make_card, replicas):
    made, trials = trainer(replicas), parameters(make_card().scan_parameters(), CHANGES)
    alone = [made.hyperparametrizable(params) for params in trials]
    several = made.hyperparametrizable_batch(trials)
    assert [json.dumps(result) for result in several] == [json.dumps(result) for result in alone]
    assert len({result["loss"] for result in alone}) == len(alone)


def test_trials_of_like_kind_share_a_call(trainer, make_card, monkeypatch):
    made, trials = trainer(1), parameters(make_card().scan_parameters(), CHANGES)
    calls = []
    whole = train.train_batch
    monkeypatch.setattr(
        "hyperparton.hyperloss.trainer.train_batch",
        lambda jobs, *rest: calls.append(len(jobs)) or whole(jobs, *rest),
    )
    made.hyperparametrizable_batch(trials)
    assert calls == [4, 2, 1]


def test_one_that_cannot_be_fitted_and_one_that_is_ended(trainer, make_card):
    made = trainer(1)
    trials = parameters(make_card().scan_parameters(), [{}, {"epochs": 0}, {"optimizer": ADAM}, {}])
    seen = []

    def ends(epoch, loss, folds, epochs):
        seen.append(epoch)
        raise TrialPrunedError("enough", {"status": "fail"})

    results = made.hyperparametrizable_batch(trials, [None, None, ends, None])
    assert isinstance(results[1], TrainingError)
    assert isinstance(results[2], TrialPrunedError)
    assert results[2].result["kfold_meta"]["validation_losses"]
    assert seen == [100]
    # those that went on are as if nothing had ended
    assert results[0] == results[3] == made.hyperparametrizable(trials[0])
