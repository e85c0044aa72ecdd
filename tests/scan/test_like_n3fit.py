"""`like_n3fit`: n3fit's own space and draws, for 35 configurations of 60 trials; see make_n3fit_draws.py."""

import ast
import json
from pathlib import Path

import pytest

from hyperparton.engines import get_engine, trial_seed
from hyperparton.scan.scanner import HyperScanner
from hyperparton.space.samplers import Choice
from hyperparton.space.tree import evaluate, samplers_by_label
from hyperparton.trials.trial import Outcome

ORACLE = Path(__file__).parents[1] / "oracle"
HELD = json.loads((ORACLE / "data" / "n3fit_draws.json").read_text(encoding="utf-8"))
PARAMETERS, CASES = HELD["parameters"], HELD["cases"]


def vals_of(case, row):
    return {label: [] if value is None else [value] for label, value in zip(case["labels"], row, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_draws(case):
    """Trial by trial, to the last digit: twenty random draws, then TPE's with the losses of the trials before."""
    scanner = HyperScanner(PARAMETERS, case["config"], like_n3fit=True)
    space, engine = scanner.as_dict(), get_engine("hyperopt")
    assert sorted(scanner.hyper_keys) == case["hyper_keys"]
    assert sorted(samplers_by_label(space)) == case["labels"]
    history = []
    for number, (row, loss) in enumerate(zip(case["vals"], case["losses"], strict=True)):
        drawn = engine.suggest(space, history, trial_seed(case["seed"], number), number)
        assert drawn == vals_of(case, row), number
        history.append(Outcome(number, drawn, "ok", loss))


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_what_a_fit_is_given(case):
    """The scanned parameters of the first trial, as n3fit's trainer gets them."""
    scanner = HyperScanner(PARAMETERS, case["config"], like_n3fit=True)
    chosen = evaluate(scanner.as_dict(), vals_of(case, case["vals"][0]))
    for key, text in case["first"].items():
        given = chosen[key] if isinstance(chosen[key], dict | float | int) else str(chosen[key])
        theirs = ast.literal_eval(text) if text[0] in "{.0123456789" else text.replace("(", "[").replace(")", "]")
        assert given == theirs, key


def test_without_it_no_draw_leaves_its_range():
    """The same configurations: hyperparton's own space keeps the card's bounds."""
    left = 0
    for case in CASES:
        own = samplers_by_label(HyperScanner(PARAMETERS, case["config"]).as_dict())
        for row in case["vals"]:
            for label, value in zip(case["labels"], row, strict=True):
                sampler = own.get(label)
                if value is not None and sampler is not None and not isinstance(sampler, Choice):
                    left += not sampler.lower <= value <= sampler.upper
    assert left > 0, "n3fit's draws leave the ranges of these configurations now and then"
