"""The trial's form in tries.json: hyperopt's layout, strict JSON."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.trials.strict_json import decode, encode, encode_strict, strict
from hyperparton.trials.trial import DONE, Trial
from hyperparton.trials.tries_entry import to_tries


def test_the_layout_is_that_of_hyperopt():
    trial = Trial(
        3,
        {"a": [1.5], "b": []},
        {"a": 1.5},
        state=DONE,
        owner="host:1",
        book_time=1795488287.617,
        refresh_time=1795488399.2149999,
        result={"status": "ok", "loss": 2.0},
    )
    assert to_tries(trial) == {
        "state": 2,
        "tid": 3,
        "spec": None,
        "result": {"status": "ok", "loss": 2.0},
        "misc": {
            "tid": 3,
            "cmd": ["domain_attachment", "FMinIter_Domain"],
            "workdir": None,
            "idxs": {"a": [3], "b": []},
            "vals": {"a": [1.5], "b": []},
            "space_vals": {"a": 1.5},
        },
        "exp_key": None,
        "owner": "host:1",
        "version": 0,
        "book_time": "2026-11-24 02:44:47.617000",
        "refresh_time": "2026-11-24 02:46:39.215000",
    }


def test_what_validphys_asks_of_every_trial_of_pdf_fits_is_there():
    """Where the card left it to the defaults; other trials are as they are."""
    given = {"optimizer": {"learning_rate": 0.1}, "nodes_per_layer": [9, 8], "dropout": None}
    assert to_tries(Trial(0, {}, given))["misc"]["space_vals"] == {
        "optimizer": {"optimizer_name": "RMSprop", "learning_rate": 0.1},
        "nodes_per_layer": [9, 8],
        "dropout": 0.0,
        "layer_type": "dense",
        "positivity": {},
    }
    assert to_tries(Trial(0, {}, {"optimizer": "own"}))["misc"]["space_vals"] == {"optimizer": "own"}


def test_a_trainers_own_entries_may_have_any_form():
    """A result may hold what it likes under the names that pruning and fits of PDFs use."""
    own = {"status": "ok", "loss": 1.0, "curve": [3, 2], "pruned": "no", "kfold_meta": [1], "failure": "none"}
    trial = Trial(0, {}, state=DONE, result=own)
    assert (trial.learning_curve, trial.pruned, trial.epochs_saved, trial.folds_fitted) == ([], False, None, 0)
    assert (trial.fold_losses, trial.replica_losses, trial.failure, trial.reason) == ({}, {}, None, None)
    odd = Trial(0, {}, state=DONE, result={**own, "curve": {"epochs": 5, "loss": 1}, "kfold_meta": {"hyper_losses": 3}})
    assert (odd.learning_curve, odd.replica_losses) == ([], {})


def test_a_light_trial_is_still_pruned():
    pruned = Trial(0, {}, state=DONE, result={"status": "fail", "loss": 1.0, "pruned": {"epochs_saved": 3}})
    assert pruned.without_arrays().pruned


def test_results_become_strict_json():
    given = {
        "array": np.array([[1.5, np.nan], [np.inf, 2.0]], dtype=np.float32),
        "scalar": np.float64(0.1),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "long": np.longdouble(1.5),
        "longs": np.array([1, np.nan], dtype=np.longdouble),
        "tuple": (1, float("-inf")),
        4: "key",
    }
    expected = {
        "array": [[1.5, None], [None, 2.0]],
        "scalar": 0.1,
        "count": 3,
        "flag": True,
        "long": 1.5,
        "longs": [1.0, None],
        "tuple": [1, None],
        "4": "key",
    }
    assert strict(given) == expected
    assert json.loads(encode(strict(given))) == expected


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", lambda: 0, 1j, np.clongdouble(1j), Decimal(1)])
def test_what_json_cannot_hold_is_named(value):
    with pytest.raises(TypeError, match=r"result\['a'\]\[1\]"):
        strict({"a": [0, value]})


NUMBERS = st.floats() | st.integers() | st.integers(-(10**300), 10**300)
DATA = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.lists(st.floats(), min_size=1) | st.dictionaries(st.text(), inner),
)


@given(DATA)
def test_what_is_written_quickly_is_what_the_standard_library_writes(value):
    data = strict(value)
    assert (written := json.loads(encode_strict(data))) == data
    assert repr(written) == repr(json.loads(encode(data)))
    assert repr(decode(encode_strict(data))) == repr(decode(encode(data))) == repr(written)


def plainly(value):
    """What `strict` gives, as its docstring says it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [plainly(entry) for entry in value]
    return {key: plainly(entry) for key, entry in value.items()} if isinstance(value, dict) else value


@given(DATA)
def test_lists_of_numbers_become_strict_like_any_other(value):
    assert repr(strict(value)) == repr(plainly(value))


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e400", '"\\ud800"', "1" * 30, '{"a": 1, "a": 2}', " 1.0 "])
def test_what_is_read_quickly_is_what_the_standard_library_reads(text):
    assert repr(decode(text)) == repr(decode(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "[1", "{'a': 1}", "1 2", "\x00", b'"\xff"', "1" * 5000])
def test_what_is_no_json_is_a_value_error(text):
    for read in (json.loads, decode):
        with pytest.raises(ValueError, match=r"."):
            read(text)


def test_encoding_refuses_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": float("nan")})
