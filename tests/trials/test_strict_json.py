"""Texts that go through as they are: what is read from JSON is written again without being encoded anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.trials.strict_json import Decoded, decode_answer, decode_dictionary, encode_strict

_TEXT = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs too
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_DATA: Any = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_DICTIONARIES = st.dictionaries(_TEXT, _DATA, max_size=4)


@given(st.dictionaries(_TEXT, _DATA, max_size=3), st.lists(_DATA, max_size=3) | st.none())
def test_a_line_is_read_as_json_reads_it(told: dict[str, Any], results: list[Any] | None) -> None:
    message = told if results is None else {"ask": 1, "results": results}
    line = json.dumps(message).encode()
    assert decode_answer(line) == json.loads(line)


@given(_DICTIONARIES, _DICTIONARIES)
def test_what_was_read_is_written_with_the_same_text(result: dict[str, Any], other: dict[str, Any]) -> None:
    text = json.dumps(result)
    read = decode_dictionary(text)
    written = encode_strict({**other, "result": read})
    assert json.loads(written) == {**other, "result": result}
    assert dict(read) == result
    assert encode_strict([read]) == f"[{encode_strict(read)}]"
    assert "\n" not in written


def test_a_result_of_a_worker_keeps_its_text() -> None:
    text = '{"status": "ok", "loss": 0.10000000000000001}'
    (result,) = decode_answer(f'{{"ask": 1, "results": [{text}]}}'.encode())["results"]
    assert isinstance(result, Decoded)
    assert result.text == text
    assert result == {"status": "ok", "loss": 0.1}
    assert encode_strict({"result": result}) == f'{{"result":{text}}}'


@pytest.mark.parametrize("text", ['{"loss": NaN}', '{"loss": Infinity}'])
def test_a_text_that_is_no_strict_json_is_not_kept(text: str) -> None:
    assert not isinstance(decode_dictionary(text), Decoded)


def test_a_changed_copy_has_no_text() -> None:
    result = decode_dictionary('{"loss": 1.0}')
    assert json.loads(encode_strict({**result, "loss": 2.0})) == {"loss": 2.0}
