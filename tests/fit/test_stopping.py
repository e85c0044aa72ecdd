"""Stopping in real fits: positivity veto, chi2 threshold, look-back."""

import numpy as np
import pytest

from hyperparton.data.predictions import predict
from hyperparton.fit.setup import FitSetup
from hyperparton.fit.stopping import StoppingState, longest_stalls
from hyperparton.runcard.parameters import LagrangeOptions

INITIAL = 100.0


def elu(y):
    """The loss of a positivity point, with n3fit's alpha, in double precision."""
    return np.where(y > 0, y, 1e-7 * np.expm1(np.minimum(y, 0.0)))


def positivity(setup, result):
    """(rep, set) positivity losses of a result with the first multipliers, from the tables themselves."""
    losses = []
    for observable in setup.data.positivity:
        predictions = predict(observable, lambda x, q0: np.swapaxes(result.xf(x), 1, 2))
        losses.append(elu(-INITIAL * predictions).sum(axis=-1))
    return np.array(losses).T


@pytest.fixture(scope="module")
def free(setup, fit):
    """A fit that positivity does not stop."""
    return fit(setup, positivity={"initial": INITIAL, "multiplier": 1.1, "threshold": 1e9})


def test_the_best_epoch_passes_positivity(setup, fit, free):
    vetoed = fit(setup)
    losses, others = positivity(setup, vetoed), positivity(setup, free)
    assert vetoed.passed.any()
    assert np.all(losses[vetoed.passed] < 1e-6)
    # the veto does something: without it a better chi2 is kept, that it does not allow
    changed = vetoed.best_epoch != free.best_epoch
    assert changed.any()
    assert np.all(others[changed].max(axis=1) >= 1e-6)
    assert np.all(free.validation_chi2[changed & vetoed.passed] <= vetoed.validation_chi2[changed & vetoed.passed])


def test_no_epoch_passes_an_impossible_positivity(setup, fit, last, leaves):
    """All epochs are vetoed: the fit runs to its end and keeps its last weights."""
    # a runcard cannot ask for it
    impossible = LagrangeOptions.model_construct(initial=INITIAL, multiplier=1.1, threshold=-1.0)
    never = fit(setup, positivity=impossible)
    assert not never.passed.any()
    np.testing.assert_array_equal(never.best_epoch, -1)
    np.testing.assert_array_equal(never.stop_epoch, 149)
    np.testing.assert_array_equal(leaves(never), leaves(fit(setup, **last)))


def test_threshold_of_chi2(setup, fit, free):
    """The first best epoch waits for a validation chi2 below the threshold; a fit that is always above has none."""
    options = {"initial": INITIAL, "multiplier": 1.1, "threshold": 1e9}
    for threshold in 1.02 * free.validation_chi2:
        result = fit(setup, positivity=options, threshold_chi2=float(threshold))
        reached = free.validation_chi2 < threshold
        np.testing.assert_array_equal(result.passed, reached)
        np.testing.assert_array_equal(result.best_epoch[reached], free.best_epoch[reached])


def test_look_back(setup, fit, last, leaves):
    """A fit that runs out of patience stops that many epochs after its best one, and returns the weights of that."""
    # so large a rate that the best epoch comes early and nothing follows
    wild = {"optimizer": {"optimizer_name": "Adam", "learning_rate": 0.2, "clipnorm": 1e-5}, "epochs": 400}
    options = {**wild, "positivity": {"initial": INITIAL, "multiplier": 1.1, "threshold": 1e9}, "threshold_chi2": 1e9}
    result = fit(setup, stopping_patience=0.1, **options)
    early = result.stop_epoch < 399
    assert early.any()
    np.testing.assert_array_equal((result.stop_epoch - result.best_epoch)[early], 41)
    best = int(result.best_epoch[np.argmax(early)])
    there = fit(setup, stopping_patience=0.1, **{**options, "epochs": best + 1, **last})
    np.testing.assert_array_equal(leaves(result)[np.argmax(early)], leaves(there)[np.argmax(early)])


def test_delta(setup, fit, free):
    """Improvements smaller than `stopping_delta` do not count: the first epoch that passes stays the best."""
    options = {"positivity": {"initial": INITIAL, "multiplier": 1.1, "threshold": 1e9}}
    stuck = fit(setup, stopping_delta=1e8, **options)
    assert np.all((stuck.best_epoch >= 0) & (stuck.best_epoch < free.best_epoch))
    assert np.all(stuck.validation_chi2 > free.validation_chi2)
    # no epoch before it was below the threshold
    for best in stuck.best_epoch[stuck.best_epoch > 0]:
        before = fit(setup, epochs=int(best), **options)
        assert not before.passed[stuck.best_epoch == best].any()


def test_a_fit_fails_with_less_patience_than_its_longest_stall(make_card, data, fit):
    """Replica 1 waits for some 300 of 600 epochs: with a patience of 400 it ends as with 594, with 200 it is lost."""
    setup = FitSetup(make_card(), data, (1,))
    patient, enough, little = (fit(setup, epochs=600, stopping_patience=p) for p in (0.99, 400 / 600, 200 / 600))
    (stall,) = patient.trained.stalls
    assert 200 < stall < 400
    assert enough.trained.stalls == stall
    assert (enough.best_epoch, enough.validation_chi2) == (patient.best_epoch, patient.validation_chi2)
    assert little.best_epoch < little.stop_epoch - 200 < patient.best_epoch
    assert little.validation_chi2 > 1.3 * patient.validation_chi2
    assert little.trained.stalls < 200


def test_the_longest_stall_of_a_fit_that_went_on():
    """Four models every 100 epochs: one waits twice, one waits when it is nearly done, one for nothing, one never."""
    best_epoch = [[20, 90, 30, 99], [20, 190, 30, 199], [250, 190, 30, 299], [250, 350, 30, 399], [470, 480, 30, 499]]
    best_loss = [[9, 1.2, 9, 9], [9, 1.1, 9, 7], [3, 1.1, 9, 5], [3, 1.05, 9, 3], [1, 1, 9, 1]]
    states = [
        StoppingState(np.array(losses, float), np.array(best), 100 * push + 99 - np.array(best), *(np.zeros(4),) * 2)
        for push, (best, losses) in enumerate(zip(best_epoch, best_loss, strict=True))
    ]
    # from epoch 20 it had waited 179 epochs when it was seen last, and then at most 51 more
    assert longest_stalls(states, 100) == pytest.approx([229.0, 0.0, 0.0, 0.0])
