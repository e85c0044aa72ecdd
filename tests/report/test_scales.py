"""Axes of hyperparameters have the scale and the ends of the ranges from which they were drawn."""

from pathlib import Path

import pytest

from hyperparton import HyperScanner, hp_choice, hp_loguniform, hp_quniform, hp_uniform, read_runcard
from hyperparton.report.hyperparameters import columns
from hyperparton.report.plots.parameters import plot_scatter
from hyperparton.report.scales import common_scales, scales
from hyperparton.space.samplers import LogUniform, Uniform
from hyperparton.space.tree import describe
from hyperparton.trials.trial import Trial

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def described(space):
    return describe(HyperScanner.of_space(space).as_dict())


def trials(values):
    return [Trial(i, {}, {"x": x}, state=2, result={"status": "ok", "loss": float(i)}) for i, x in enumerate(values)]


def test_the_scales_of_a_card():
    card = read_runcard(EXAMPLES / "dis.yml")
    found = scales(describe(HyperScanner(card.scan_parameters(), card.scan_config()).as_dict()))
    config = card.raw["hyperscan_config"]
    assert (found["epochs"].lower, found["epochs"].upper) == (
        config["stopping"]["min_epochs"],
        config["stopping"]["max_epochs"],
    )
    rates = [each["learning_rate"] for each in config["optimizer"]]
    assert {each["sampling"] for each in rates} == {"log"}
    assert isinstance(found["learning_rate"], LogUniform)
    assert found["learning_rate"].lower == min(float(each["min"]) for each in rates)
    assert found["learning_rate"].upper == max(float(each["max"]) for each in rates)
    assert isinstance(found["dropout"], Uniform)
    units = config["architecture"]["min_units"], config["architecture"]["max_units"]
    assert (found["layer_1"].lower, found["layer_1"].upper) == units


def test_ranges_of_several_options_have_one_axis():
    space = {
        "solver": hp_choice(
            "solver", [{"name": "a", "rate": hp_loguniform("a", 1e-3, 1e-1)}, {"rate": hp_loguniform("b", 1e-5, 1e-2)}]
        ),
        "mixed": hp_choice("m", [{"rate": hp_loguniform("c", 1, 2)}, {"rate": hp_uniform("d", 1, 2)}]),
        "fixed": 3,
    }
    found = scales(described(space))
    assert {name: (type(each), each.lower, each.upper) for name, each in found.items()} == {
        "solver.rate": (LogUniform, 1e-5, 1e-1)
    }


def test_several_scans_have_one_axis():
    spaces = [described({"x": hp_uniform("x", 0, top), "y": kind("y", 1, 2)})
              for top, kind in ((1, hp_uniform), (3, hp_loguniform))]  # fmt: skip
    assert common_scales(spaces) == {"x": Uniform("x", 0.0, 3.0)}
    assert common_scales([*spaces, None]) == {}


@pytest.mark.parametrize("space", [None, 3, [], {"x": {"uniform": {"label": "x", "lower": "a", "upper": 10**400}}}])
def test_a_space_that_is_none_has_no_scales(space):
    assert scales(space) == {}


@pytest.mark.parametrize(
    ("sampler", "scale"),
    [
        (hp_uniform("x", 0.001, 100.0), "linear"),
        (hp_quniform("x", 1.0, 100.0, 1.0), "linear"),
        (hp_loguniform("x", 0.5, 4.0), "log"),
    ],
)
def test_the_axis_is_that_of_the_range(sampler, scale):
    """Numbers that span decades on a linear axis, and the other way round: the guess would be wrong."""
    numbers = [1.0, 2.0, 3.0] if scale == "log" else [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 40.0]
    (column,) = columns(trials([*numbers, 1.5]), scales(described({"x": sampler})))
    figure = plot_scatter(column, column.numbers, "loss")
    (axes,) = figure.axes
    assert axes.get_xscale() == scale
    low, high = axes.get_xlim()
    assert low < sampler.lower < sampler.upper < high
    lines = sorted(line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":")
    assert lines == [sampler.lower, sampler.upper]


def test_trials_outside_of_the_range_are_on_the_axis_too():
    (column,) = columns(trials([0.5, 1.5, 7.0]), {"x": LogUniform("x", 1.0, 2.0)})
    assert (column.axis.lower, column.axis.upper) == (0.5, 7.0)
    (column,) = columns(trials([-0.5, 1.5, 7.0]), {"x": LogUniform("x", 1.0, 2.0)})
    assert column.axis == Uniform("x", -0.5, 7.0)
