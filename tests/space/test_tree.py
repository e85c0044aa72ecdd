"""Walking, evaluating and naming a space."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.errors import SpaceError
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.space.tree import (
    conditions,
    counterparts,
    describe,
    evaluate,
    fingerprint,
    readable,
    sample,
    samplers_by_label,
)


@pytest.fixture
def space():
    deep = hp_choice("kind", ["plain", {"rate": hp_uniform("rate", 0, 1)}, [hp_choice("inner", [1, 2]), "end"]])
    return {"fixed": {"list": [1, None]}, "kind": deep, "n": hp_quniform("n", 1, 4, step_size=1, make_int=True)}


def test_labels_and_conditions(space):
    assert sorted(samplers_by_label(space)) == ["inner", "kind", "n", "rate"]
    assert conditions(space) == {
        "kind": ((),),
        "rate": ((("kind", 1),),),
        "inner": ((("kind", 2),),),
        "n": ((),),
    }


def test_a_sampler_shared_by_two_branches_has_two_ways(space):
    shared = hp_uniform("shared", 0, 1)
    assert conditions({"a": hp_choice("c", [[shared], [shared], []])})["shared"] == ((("c", 0),), (("c", 1),))


def test_the_same_parameter_of_different_options_is_one_group():
    """Rates of two optimizers; widths counted from the output; what has another scale or can apply beside is alone."""
    width = [hp_quniform(label, 5, 40, step_size=1) for label in ("flat", "deep", "deeper")]
    space = {
        "optimizer": hp_choice(
            "optimizer",
            [
                {"name": "A", "rate": hp_loguniform("rate_A", 1e-4, 1e-2), "clip": hp_uniform("clip_A", 0, 1)},
                {"name": "B", "rate": hp_loguniform("rate_B", 1e-3, 1e-1), "clip": hp_loguniform("clip_B", 1e-3, 1)},
            ],
        ),
        "nodes": hp_choice("depth", [[width[0], 8], [width[1], width[2], 8]]),
        "x": [hp_uniform("x", 0, 1)],
        "either": hp_choice("either", [hp_choice("inner", [0, hp_uniform("in", 0, 1)]), hp_uniform("out", 0, 1)]),
    }
    groups = {frozenset(group) for group in counterparts(space)}
    together = {frozenset({"rate_A", "rate_B"}), frozenset({"flat", "deeper"}), frozenset({"in", "out"})}
    alone = {"optimizer", "clip_A", "clip_B", "depth", "deep", "x", "either", "inner"}
    assert groups == together | {frozenset({label}) for label in alone}


def test_labels_that_can_apply_together_are_no_counterparts():
    """`a` is an option beside `b`, but applies elsewhere whatever is chosen."""
    a, b = hp_uniform("a", 0, 1), hp_uniform("b", 0, 1)
    assert sorted(counterparts({"k": hp_choice("c", [a, b])})) == [("a", "b"), ("c",)]
    assert sorted(counterparts({"k": hp_choice("c", [a, b]), "x": a})) == [("a",), ("b",), ("c",)]


def test_evaluate_replaces_samplers_and_keeps_the_rest(space):
    vals = {"kind": [2], "inner": [1], "rate": [], "n": [3.0]}
    assert evaluate(space, vals) == {"fixed": {"list": [1, None]}, "kind": [2, "end"], "n": 3}
    assert evaluate(space, {"kind": [1], "rate": [0.25], "n": [1.0]})["kind"] == {"rate": 0.25}


def test_evaluation_shares_nothing_with_the_space(space):
    evaluate(space, {"kind": [0], "n": [1.0]})["fixed"]["list"].append(9)
    assert space["fixed"]["list"] == [1, None]


@pytest.mark.parametrize(
    "vals",
    [
        {},
        {"kind": [3], "n": [1.0]},
        {"kind": [-1], "n": [1.0]},
        {"kind": [0.5], "n": [1.0]},
        {"kind": ["plain"], "n": [1.0]},
        {"kind": [1], "rate": [], "n": [1.0]},
        {"kind": [0], "n": [1.0, 2.0]},
        {"kind": [0], "n": 1.0},
        {"kind": [0], "n": ["1"]},
        {"kind": [0], "n": [float("nan")]},
    ],
)
def test_values_that_do_not_fit_are_refused(space, vals):
    with pytest.raises(SpaceError, match="accepted"):
        evaluate(space, vals)


def test_a_label_cannot_name_two_samplers():
    with pytest.raises(SpaceError, match="two different samplers"):
        samplers_by_label({"a": hp_uniform("x", 0, 1), "b": hp_uniform("x", 0, 2)})


def test_sampling_gives_values_to_what_the_choices_reach(space):
    rng = np.random.default_rng(3)
    kinds = set()
    for _ in range(60):
        vals = sample(space, rng)
        kind = vals["kind"][0]
        kinds.add(kind)
        assert sorted(vals) == ["inner", "kind", "n", "rate"]
        assert (len(vals["rate"]), len(vals["inner"])) == (int(kind == 1), int(kind == 2))
        evaluate(space, vals)
    assert kinds == {0, 1, 2}


def test_the_fingerprint_is_that_of_the_content():
    one = {"a": hp_uniform("a", 0, 1), "b": [1, 2]}
    assert fingerprint(one) == fingerprint({"b": [1, 2], "a": hp_uniform("a", 0.0, 1.0)})
    others = [{**one, "b": [1, 3]}, {**one, "a": hp_uniform("a", 0, 2)}, {"a": hp_uniform("z", 0, 1), "b": [1, 2]}]
    assert len({fingerprint(space) for space in [one, *others]}) == 4


def test_the_fingerprint_of_a_space_stays(space):
    """Stores hold it, so that a scan begun earlier continues."""
    every = {**space, "l": hp_loguniform("l", 1e-5, 1), "q": hp_quniform("q", 0.3, 1, steps=7)}
    assert fingerprint(every) == "963f24411c225fb3574ea1074f457fd5b3f29f4cf20c32ce0b68e7c32a525fd6"


def test_description_and_readable_values_are_strict_json(space):
    assert describe(space)["kind"]["choice"] == "kind"

    class Named:
        def __str__(self):
            return "name"

    given = {"a": np.float32(0.5), "b": np.arange(2), "c": float("inf"), "d": (True, None), "e": Named()}
    assert readable(given) == {"a": 0.5, "b": [0, 1], "c": None, "d": [True, None], "e": "name"}
