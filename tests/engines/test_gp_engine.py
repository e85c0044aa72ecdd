"""The Gaussian process engine against closed forms, numbers by quadrature, and scikit-learn's regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from hyperparton.engines import get_engine, trial_seed
from hyperparton.engines import gp as module
from hyperparton.engines.base import normal_scores
from hyperparton.engines.coordinates import UnitCube
from hyperparton.space.frozen import freeze
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.trials.trial import Outcome

SPACE = freeze(
    {
        "u": hp_uniform("u", -1.0, 1.0),
        "q": hp_quniform("q", 0.3, 1.0, steps=7),
        "c": hp_choice("c", [{"l": hp_loguniform("l", 1e-5, 1.0)}, [hp_choice("d", ["x", hp_uniform("e", 2, 3)])], 5]),
    }
)


def model(count=30):
    rng = np.random.default_rng(0)
    x = rng.random((count, 4))
    y = np.sin(5 * x[:, 0]) + x[:, 2] + 0.1 * rng.standard_normal(count)
    return module._Model(x, np.array([0, 1, 2, 2]), y), x, y


def test_the_posterior_is_that_of_a_regression_with_the_same_covariance():
    found, x, y = model()
    kernel = ConstantKernel(found._variance) * Matern(1 / found._scale, nu=2.5)
    noise = math.exp(found.theta[-1]) + 1e-8
    oracle = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x, y - y.mean())
    at = np.random.default_rng(1).random((9, 4))
    mean, spread = oracle.predict(at, return_std=True)
    spread = np.hypot(spread, math.exp(0.5 * found.theta[-1]))
    z = (y.min() - y.mean() - mean) / spread
    expected = spread * (stats.norm.pdf(z) + z * stats.norm.cdf(z))
    assert np.exp(found.log_expected_improvement(at)) == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_the_expected_improvement_is_the_integral_of_improvements():
    found, _, y = model()
    at = np.array([[0.9, 0.4, 0.1, 0.2]])
    mean, spread = found.score(at)
    expected = integrate.quad(
        lambda value: (y.min() - value) * stats.norm.pdf(value, mean, spread), mean - 12 * spread, y.min()
    )[0]
    assert math.exp(found.log_expected_improvement(at)[0]) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_that_of_the_posterior():
    found, _, _ = model()
    theta = found.theta + 0.3 * np.random.default_rng(2).standard_normal(len(found.theta))
    steps = 1e-5 * np.eye(len(theta))
    by_difference = [
        (found._negative_log_posterior(theta + h)[0] - found._negative_log_posterior(theta - h)[0]) / 2e-5
        for h in steps
    ]
    assert found._negative_log_posterior(theta)[1] == pytest.approx(by_difference, abs=1e-6)


def test_improvements_that_are_hardly_possible_keep_their_order():
    """log(phi(z) + z Phi(z)) is -z^2/2 - 2 log(-z) - log(2 pi)/2 + O(1/z^2) far below."""
    z = np.array([-4.999, -5.001, -8.0, -20.0, -200.0])
    expected = [math.log(integrate.quad(lambda t, at=v: t * stats.norm.pdf(at - t), 0, 9)[0]) for v in z[:3]]
    expected += [-v * v / 2 - 2 * math.log(-v) - math.log(2 * math.pi) / 2 for v in z[3:]]
    assert module._log_improvement(z) == pytest.approx(expected, rel=2e-3)


def test_rows_of_shares_are_those_of_the_trials_that_they_make():
    """A settled row gives values whose own shares are that row, with 0.5 for labels that do not apply."""
    cube = UnitCube(SPACE)
    rows, coordinates = cube.settled(np.random.default_rng(4).random((200, len(cube.labels))))
    assert np.all(coordinates == cube.coordinates(rows))
    trials = [Outcome(n, cube.vals(row), "ok", 0.0) for n, row in enumerate(rows)]
    assert cube.points([trial.vals for trial in trials]) == pytest.approx(rows, abs=1e-9)
    applies = np.array([[bool(trial.vals[label]) for label in cube.labels] for trial in trials])
    assert np.all(rows[~applies] == 0.5)
    assert 0 < applies.mean() < 1


def test_what_is_learned_with_one_optimizer_counts_for_the_other():
    """Equal rates of two optimizers with other ranges have one coordinate, on the range that holds both."""
    rates = hp_loguniform("A", 1e-4, 1e-2), hp_loguniform("B", 1e-3, 1e-1)
    cube = UnitCube(freeze(hp_choice("optimizer", [{"rate": rate} for rate in rates])))
    trials = [
        Outcome(n, {"optimizer": [k], label: [rate], other: []}, "ok", 0.0)
        for n, (k, label, other, rate) in enumerate(
            [(0, "A", "B", 1e-3), (1, "B", "A", 1e-3), (1, "B", "A", 1e-1), (0, "A", "B", 1e-4)]
        )
    ]
    found = cube.coordinates(cube.points([trial.vals for trial in trials]))
    assert cube.parameters.tolist() == [0, 0, 1]
    assert found[:, 2] == pytest.approx([1 / 3, 1 / 3, 1.0, 0.0])


def test_suggestions_do_not_run_into_the_ends_of_the_ranges():
    """A bowl with its minimum inside and noise as large as its differences: an end is as likely as by chance or less.

    Of points drawn at random one coordinate in 25 lies within 2 % of an end.
    """
    at = np.array([0.3, 0.7, 0.5, 0.6, 0.4, 0.3, 0.6, 0.5])
    space = {f"x{i}": hp_uniform(f"x{i}", 0, 1) for i in range(len(at))}
    engine, noise, seen = get_engine("gp"), np.random.default_rng(7), []
    for seed in range(3):
        history = []
        for number in range(40):
            vals = engine.suggest(space, history, trial_seed(seed, number), number)
            x = np.array([vals[label][0] for label in space])
            history.append(Outcome(number, vals, "ok", float(np.sum((x - at) ** 2) + 0.1 * noise.standard_normal())))
            seen += x.tolist() if number >= 10 else []
    ends = np.mean([min(share, 1 - share) < 0.02 for share in seen])
    assert ends < 0.1


def test_only_the_order_of_losses_counts():
    history = [Outcome(n, get_engine("random").suggest(SPACE, [], n), "ok", float(n * 7 % 30)) for n in range(30)]
    other = [Outcome(o.number, o.vals, "ok", math.exp(o.loss)) for o in history]
    suggest = get_engine("gp").suggest
    assert suggest(SPACE, history, 5) == suggest(SPACE, other, 5)
    raised = [*history[:-1], Outcome(29, history[-1].vals, "fail", None, "ValueError")]
    assert normal_scores(raised)[-1] == max(normal_scores(raised)) == pytest.approx(stats.norm.ppf(29.5 / 30))


def test_no_trial_is_repeated():
    """A fit that is repeated gives what it gave: of 120 points of a coarse space none is suggested twice."""
    space = {
        "x": hp_quniform("x", 0, 5, step_size=1),
        "c": hp_choice("c", [0, {"y": hp_quniform("y", 0, 18, steps=18)}]),
    }
    engine, history = get_engine("gp"), []
    for number in range(60):
        past = [o for o in history if o.number >= 10]  # the start is random
        vals = engine.suggest(space, history, trial_seed(2, number), number)
        assert number < 10 or vals not in [o.vals for o in past]
        history.append(Outcome(number, vals, "ok", vals["x"][0] + sum(vals["y"])))


def test_the_improvement_that_is_expected_ends_as_the_search_does():
    """A scale of the losses is one of the improvement; with few trials there is none to tell."""
    space, engine, history, gains = {"x": hp_uniform("x", 0, 1)}, get_engine("gp"), [], []
    for number in range(40):
        seed = trial_seed(1, number)
        gains.append(engine.expected_improvement(space, history, seed))
        vals = engine.suggest(space, history, seed, number)
        history.append(Outcome(number, vals, "ok", 3.0 + 100.0 * (vals["x"][0] - 0.4) ** 2))
    assert gains[:10] == [None] * 10
    assert 0.0 < gains[39] < 0.1 * max(gains[10:])
    doubled = [Outcome(o.number, o.vals, "ok", 2.0 * o.loss) for o in history[:20]]
    assert engine.expected_improvement(space, doubled, trial_seed(1, 20)) == pytest.approx(2.0 * gains[20], rel=1e-9)


def test_it_comes_near_the_minimum_of_a_smooth_function_in_few_trials():
    """Within 25 trials it comes closer to the minimum of a bowl than 100 random ones, for most seeds."""
    space = {label: hp_uniform(label, 0, 1) for label in "abc"}

    def best(name, seed, trials):
        engine, history = get_engine(name), []
        for number in range(trials):
            vals = engine.suggest(space, history, trial_seed(seed, number), number)
            loss = sum((vals[label][0] - at) ** 2 for label, at in zip("abc", (0.3, 0.7, 0.5), strict=True))
            history.append(Outcome(number, vals, "ok", loss))
        return min(outcome.loss for outcome in history)

    assert sum(best("gp", seed, 25) < best("random", seed, 100) for seed in range(4)) >= 3
