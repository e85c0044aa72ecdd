"""What a trainer reports at checkpoints: the trial that would have ended there."""

import numpy as np
import pytest

from hyperparton.data.load import load_fit_data
from hyperparton.errors import TrialPrunedError
from hyperparton.hyperloss.trainer import ModelTrainer

KFOLD = {
    "partitions": [{"datasets": ["SLAC_NC_NOTFIXED_P_EM-F2"]}, {"datasets": ["HERA_CC_318GEV_EM-SIGMARED"]}],
    "penalties": ["saturation"],
    "penalties_in_loss": True,
    "threshold": 1e9,
}
#: without positivity and integrability, whose multipliers depend on the number of epochs
SECTIONS = {"kfold": KFOLD, "positivity": None, "integrability": None}


@pytest.fixture(scope="module")
def card(make_card):
    return make_card(**SECTIONS)


def trial(card, data, parameters, report=None, **changed):
    trainer = ModelTrainer.from_runcard(card, data, (1, 2))
    trainer.set_hyperopt(True)
    trainer.report = report
    return trainer.hyperparametrizable({**parameters, "stopping_patience": 1.0, "threshold_chi2": 1e9, **changed})


@pytest.fixture(scope="module")
def data(card):
    return load_fit_data(card)


def test_a_report_is_the_trial_that_ends_there(card, data, parameters):
    """The 100th epoch's losses are known once the 101st begins: the report is that of a fit of 99 epochs."""
    told = []
    whole = trial(card, data, parameters, lambda *report: told.append(report), epochs=250)
    assert [report[0] for report in told] == [100, 200]
    assert {report[3] for report in told} == {250}
    assert whole == trial(card, data, parameters, epochs=250)
    for epoch, loss, folds, _ in told:
        short = trial(card, data, parameters, epochs=epoch - 1)
        assert loss == pytest.approx(short["loss"], rel=1e-6)
        assert len(folds) == 2


def test_a_trial_that_is_stopped_says_how_far_it_was(card, data, parameters):
    def stops(epoch, loss, folds, epochs):
        raise TrialPrunedError("enough", {"loss": loss})

    with pytest.raises(TrialPrunedError) as caught:
        trial(card, data, parameters, stops, epochs=250)
    short = trial(card, data, parameters, epochs=99)
    stood = caught.value.result
    assert stood["validation_loss"] == pytest.approx(short["validation_loss"], rel=1e-6)
    assert np.allclose(stood["kfold_meta"]["hyper_losses"], short["kfold_meta"]["hyper_losses"], rtol=1e-6)
    assert stood["kfold_meta"].keys() == short["kfold_meta"].keys()
