"""Reading tries.json, above all as n3fit writes it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.errors import StoreError
from hyperparton.trials.tries_read import parse_array_text, read_trials, read_tries


def trial(**result):
    return {"tid": 0, "state": 2, "result": {"status": "ok", **result}, "misc": {"vals": {"a": [1]}, "space_vals": {}}}


def written(tmp_path, content):
    path = tmp_path / "tries.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@given(
    st.integers(1, 3).flatmap(lambda rank: st.lists(st.integers(1, 4), min_size=rank, max_size=rank)),
    st.integers(0, 2**32), st.booleans(),
)  # fmt: skip
def test_arrays_as_numpy_prints_them(shape, seed, single):
    array = np.random.default_rng(seed).normal(size=shape) * 10.0 ** (seed % 7 - 3)
    array = array.astype(np.float32) if single else array
    read = np.array(parse_array_text(str(array)), dtype=float)
    assert read.shape == array.shape
    assert np.abs(read - array).max() <= 1e-7 * max(1.0, np.abs(array).max())  # it prints 8 digits


def test_nan_and_infinity_are_missing():
    assert parse_array_text("[[ 1.  nan]\n [ inf -inf]]") == [[1.0, None], [None, None]]
    assert parse_array_text("[1 2]") == [1, 2]
    assert parse_array_text("[]") == []


@pytest.mark.parametrize(
    "text", ["[1.", "1.]", "[1.] [2.]", "[a]", "x [1.]", "[[1.]]]", "[__import__('os')]", "", "1."]
)
def test_what_is_no_array_is_refused(text):
    with pytest.raises(ValueError, match=r"not a"):
        parse_array_text(text)


def test_a_file_of_n3fit(tmp_path):
    entry = trial(
        loss="174.1547",
        validation_loss="nan",
        kfold_meta={
            "hyper_losses": "[[1.5]\n [2.5]]",
            "penalties": {"saturation": "[0. 1.]"},
            "list": ["[1.]", "[2.]"],
        },
    )
    entry["misc"]["space_vals"] = {"epochs": "20", "initializer": "glorot_normal", "dropout": 0.1}
    text = json.dumps([entry]).replace('"loss": "174.1547"', '"loss": 174.5, "other": NaN, "more": -Infinity')
    (read,) = read_tries(written(tmp_path, text))
    assert read["result"] == {
        "status": "ok",
        "loss": 174.5,
        "other": None,
        "more": None,
        "validation_loss": None,
        "kfold_meta": {"hyper_losses": [[1.5], [2.5]], "penalties": {"saturation": [0.0, 1.0]}, "list": [[1.0], [2.0]]},
    }
    assert read["misc"]["space_vals"] == {"epochs": 20, "initializer": "glorot_normal", "dropout": 0.1}
    assert (read["tid"], read["state"]) == (0, 2)


def test_an_array_that_numpy_shortened_is_missing_and_said_so(tmp_path, caplog):
    text = str(np.zeros(2000))
    (read,) = read_tries(written(tmp_path, [trial(kfold_meta={"a": text})]))
    assert read["result"]["kfold_meta"]["a"] is None
    assert "shortened" in caplog.text
    assert "trial 0" in caplog.text


def test_other_text_stays_text(tmp_path):
    (read,) = read_tries(written(tmp_path, [trial(note="[see log]", failure={"message": "1 + 1", "type": "inf."})]))
    assert read["result"]["note"] == "[see log]"
    assert read["result"]["failure"] == {"message": "1 + 1", "type": "inf."}


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"tid": 0}]', '[{"result": {}, "misc": []}]', "\x00"])
def test_what_is_no_file_of_trials_is_refused(tmp_path, content):
    with pytest.raises(StoreError, match=r"tries\.json"):
        read_tries(written(tmp_path, content))


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(StoreError, match="cannot be read"):
        read_tries(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="not JSON"):
        read_tries(tmp_path / "binary")


WRONG = [
    (("tid",), "a", "trial at place 1: tid must be a whole number of at least 0, given 'a'"),
    (("tid",), -1, "trial -1: tid must be a whole number"),
    (("tid",), [3], r"trial at place 1: tid must be a whole number of at least 0, given \[3\]"),
    (("tid",), 10**60, "trial at place 1: tid must be a whole number"),
    (("misc", "vals"), [1], r"trial 1: misc.vals must be a dictionary, given \[1\]"),
    (("misc", "vals", "a"), 1, "trial 1: misc.vals.a must be a list of one number, or of none, given 1"),
    (("misc", "vals", "a"), ["x"], "trial 1: misc.vals.a must be a list of one number"),
    (("misc", "vals", "a"), [1, 2], "trial 1: misc.vals.a must be a list of one number"),
    (("misc", "space_vals"), "x", "trial 1: misc.space_vals must be a dictionary, given 'x'"),
]


@pytest.mark.parametrize(("path", "value", "told"), WRONG)
def test_an_entry_with_a_field_of_another_type_is_told_by_file_trial_and_key(tmp_path, path, value, told):
    entries = [{**trial(loss=1.0), "tid": number} for number in range(3)]
    *above, last = path
    target = entries[1]
    for key in above:
        target = target[key]
    target[last] = value
    with pytest.raises(StoreError, match=f"^{tmp_path}/tries.json: {told}"):
        read_trials(written(tmp_path, entries))


def test_what_a_trainer_may_keep_as_it_likes_is_read_as_missing(tmp_path):
    """Only what every command relies on must be of its type."""
    result = {
        "loss": "x",
        "curve": {"epochs": [[1], 2, "c"], "loss": [1, "a", 2]},
        "kfold_meta": {"hyper_losses": [{}]},
    }
    (read,) = read_trials(written(tmp_path, [{**trial(**result), "owner": {}, "book_time": 5, "refresh_time": []}]))
    assert (read.status, read.loss, read.failure) == ("fail", None, "NaNLoss")
    assert read.learning_curve == [(2, None)]
    assert read.replica_losses == {"hyper": [[None]]}
    assert (read.begin, read.end) == (None, None)


@pytest.mark.parametrize(
    "text", ["[" * 3000 + "]" * 3000, '[{"result": ' + "[" * 3000 + "]" * 3000 + "}]", "[" + "1" * 5000 + "]"]
)
def test_what_is_nested_or_long_beyond_reason_is_told(tmp_path, text):
    with pytest.raises(StoreError, match=r"tries\.json"):
        read_trials(written(tmp_path, text))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_trial_a_line_is_read_as_any_other_form(tmp_path, count):
    entries = [{**trial(loss="1.5", text="a,\nb"), "tid": number} for number in range(count)]
    whole = read_tries(written(tmp_path, json.dumps(entries, indent=2)))
    between = ",\n".join(json.dumps(entry) for entry in entries)
    assert read_tries(written(tmp_path, f"[\n{between}\n]\n")) == whole
    assert read_tries(tmp_path / "tries.json", keep=lambda entry: entry["tid"]) == list(range(count))
    with pytest.raises(StoreError, match="not JSON"):
        read_tries(written(tmp_path, f"[\n{between}\n"))
