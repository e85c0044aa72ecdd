"""The named methodology at the ends of ranges, on functions whose minimum and whose fall are known."""

import math

import numpy as np
import pytest

from hyperparton.engines import get_engine, trial_seed
from hyperparton.errors import SpaceError
from hyperparton.report.edges import edge_text, edges
from hyperparton.runcard.yaml_positions import parse_document
from hyperparton.space.tree import evaluate, readable
from hyperparton.trials.trial import Outcome, Trial, ranked
from hyperparton.workflow.ranges import scanned_ranges

CARD = """
trainer: somewhere:make
parameters: {x: 1, rate: 1e-3, kept: 2, flat: 1, n: 7, kind: a}
hyperscan_config:
  space:
    x: {min: 0.5, max: 4}
    rate: {min: 1e-4, max: 1e-2, sampling: log}
    kept: {min: 2, max: 2}
    flat: {min: 0, max: 1}
    n: {min: 5, max: 50, make_int: true}
    kind: {choice: [a, b]}
"""


@pytest.fixture(scope="module")
def scanned():
    return scanned_ranges(parse_document(CARD))


def play(scanned, loss, trials, seed, engine="random", noise=0.0):
    """The trials of a scan in which a trial has the loss that `loss(parameters)` gives, and noise."""
    engine, rng, history, found = get_engine(engine), np.random.default_rng(seed), [], []
    for number in range(trials):
        vals = engine.suggest(scanned.space, history, trial_seed(seed, number), number)
        parameters = readable(evaluate(scanned.space, vals))
        value = float(loss(parameters) + noise * rng.standard_normal())
        history.append(Outcome(number, vals, "ok", value))
        found.append(Trial(number, vals, parameters, 2, result={"status": "ok", "loss": value}))
    return found


def bowl(x, rate, n):
    """A function of the parameters with its minimum at (x, rate, n)."""

    def loss(p):
        return (p["x"] - x) ** 2 / 10 + math.log10(p["rate"] / rate) ** 2 / 4 + (p["n"] - n) ** 2 / 2000

    return loss


def of(scanned, trials):
    return edges(scanned, trials, ranked(trials)[0][0])


@pytest.mark.parametrize("engine", ["random", "gp", "hyperopt"])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_a_minimum_beyond_the_range_is_found_at_its_side_with_a_falling_loss(scanned, engine, noise):
    trials = play(scanned, bowl(5.0, 1e-3, 27), 80, 3, engine, noise)
    (edge,) = [edge for edge in of(scanned, trials) if edge.name == "x"]
    assert (edge.end, edge.course, edge.last) == ("upper", "falls", False)
    assert edge.value == ranked(trials)[0][0].space_vals["x"]
    # from 4 - (4 - 0.5) / 4 to 4, whatever the other parameters are
    assert edge.fall == pytest.approx((1.875**2 - 1) / 10, abs=3 * edge.error)
    assert edge.error < 0.1
    assert "x lies at the upper end of its range" in edge.sentence
    assert f"0.5 to 4): the loss falls towards it by {edge.fall:.3g}" in edge.sentence


def test_both_ends_and_both_scales(scanned):
    trials = play(scanned, bowl(-1.0, 3e-2, 80), 120, 1, "gp")
    found = {edge.name: edge for edge in of(scanned, trials)}
    assert {name: edge.end for name, edge in found.items() if name in ("x", "rate", "n")} == {
        "x": "lower", "rate": "upper", "n": "upper",
    }  # fmt: skip
    expected = {
        "x": (2.375**2 - 1.5**2) / 10,
        "rate": (math.log10(30 / 10**0.5) ** 2 - math.log10(3) ** 2) / 4,
        # 45 steps, of which 11 are a quarter
        "n": (41**2 - 30**2) / 2000,
    }
    for name, fall in expected.items():
        assert found[name].course == "falls"
        assert found[name].fall == pytest.approx(fall, abs=3 * found[name].error)
    text = edge_text(list(found.values()), "a scan")
    assert text.count(" end of its range") == len(found)
    assert text.endswith("`hyperparton best 'a scan' --widen` proposes wider ranges.")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("engine", ["random", "hyperopt"])
def test_a_minimum_inside_is_no_edge(scanned, engine, seed):
    found = of(scanned, play(scanned, bowl(2.0, 1e-3, 27), 60, seed, engine))
    assert {edge.name for edge in found} <= {"flat"}


def test_the_error_is_that_of_the_fall(scanned):
    """Of 30 noisy scans the fall lies within three of its errors of the truth in all but one, and is told in none
    where there is nothing to tell."""
    z, told = [], []
    for seed in range(30):
        trials = play(scanned, bowl(5.0, 1e-3, 27), 40, seed, noise=0.1)
        best = max(trials, key=lambda trial: trial.space_vals["x"])
        at_end = Trial(99, {}, {**best.space_vals, "flat": 0.99, "x": 3.99}, 2, result={"status": "ok", "loss": 0.0})
        found = {edge.name: edge for edge in edges(scanned, trials, at_end)}
        z.append((found["x"].fall - (1.875**2 - 1) / 10) / found["x"].error)
        told.append(found["flat"].course in ("falls", "rises"))
    assert sum(abs(each) > 3 for each in z) <= 1
    assert sum(told) <= 3


def test_what_does_not_matter_is_flat(scanned):
    trials = play(scanned, bowl(2.0, 1e-3, 27), 150, 5, noise=0.01)
    best = ranked(trials)[0][0]
    (edge,) = edges(scanned, trials, Trial(99, {}, {**best.space_vals, "flat": 0.01}, 2))
    assert (edge.name, edge.end, edge.course, edge.last) == ("flat", "lower", "is flat", True)
    assert "(0.01 of 0 to 1; no smaller value is accepted): the loss is flat there" in edge.sentence
    assert "--widen" not in edge_text([edge], "scan")


def test_few_trials_tell_nothing(scanned):
    trials = play(scanned, bowl(5.0, 1e-3, 27), 9, 0)
    at_end = Trial(9, {}, {**trials[0].space_vals, "x": 4.0}, 2, result={"status": "ok", "loss": 0.0})
    (edge,) = [edge for edge in edges(scanned, [*trials[:8], at_end], at_end) if edge.name == "x"]
    assert (edge.course, edge.fall, edge.error) == ("unknown", None, None)
    assert edge.calls_for_more
    assert "too few trials to tell how the loss goes there." in edge.sentence


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"x": 3.83}, {"x": "upper"}),  # 5 % of 3.5 are 0.175
        ({"x": 3.82}, {}),
        ({"x": 0.67}, {"x": "lower"}),
        ({"rate": 10**-2.09}, {"rate": "upper"}),  # of two decades 0.1
        ({"rate": 10**-2.11}, {}),
        ({"rate": 10**-3.91}, {"rate": "lower"}),
        ({"n": 48}, {"n": "upper"}),  # of 45 steps 2
        ({"n": 47}, {}),
        ({"n": 7}, {"n": "lower"}),
        ({"kept": 2, "kind": "b"}, {}),
    ],
)
def test_how_near_an_end_is(scanned, values, expected):
    inside = {"x": 2.0, "rate": 1e-3, "kept": 2.0, "flat": 0.5, "n": 20, "kind": "a"}
    found = edges(scanned, [], Trial(0, {}, {**inside, **values}, 2))
    assert {edge.name: edge.end for edge in found} == expected


def test_a_coarse_grid_ends_with_its_last_point():
    text = "trainer: a:b\nparameters: {g: 0}\nhyperscan_config: {space: {g: {min: 0, max: 1, steps: 5}}}"
    scanned = scanned_ranges(parse_document(text))
    found = [[edge.end for edge in edges(scanned, [], Trial(0, {}, {"g": k / 5}, 2))] for k in range(6)]
    assert found == [["lower"], [], [], [], [], ["upper"]]


def test_a_trial_of_another_card_is_refused(scanned):
    with pytest.raises(SpaceError, match=r"trial 7 does not lie in the ranges of the card: x is 9, accepted: 0.5 to 4"):
        edges(scanned, [], Trial(7, {}, {"x": 9, "rate": 1e-3, "kept": 2, "flat": 1, "n": 7, "kind": "a"}, 2))


@pytest.mark.parametrize("losses", [[1e308] * 6 + [-1e308] * 6, [1.0] * 12, list(range(12)), [1e-320] * 5 + [0.0] * 7])
def test_any_losses_can_be_told_of(scanned, losses):
    trials = play(scanned, bowl(2.0, 1e-3, 27), 12, 0)
    odd = [
        Trial(t.number, t.vals, t.space_vals, 2, result={"status": "ok", "loss": loss})
        for t, loss in zip(trials, losses, strict=True)
    ]
    (edge,) = edges(scanned, odd, Trial(99, {}, {**trials[0].space_vals, "x": 4.0, "flat": 0.5}, 2))
    assert edge.sentence
    assert edge.fall is None or math.isfinite(edge.fall)
