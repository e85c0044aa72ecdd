"""Writing tries.json: any order, any interruption, the same file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperparton.trials.tries_write import TriesFile, _copy


def line(number):
    return json.dumps({"tid": number, "pad": "é" * (number % 5)}, ensure_ascii=False).encode()


def expected(numbers):
    return [json.loads(line(number)) for number in sorted(numbers)]


@settings(deadline=None)  # each example waits for the disk many times
@given(st.permutations(range(9)), st.sets(st.integers(0, 8)))
def test_any_order_gives_the_same_file(tmp_path_factory, order, touched):
    path = tmp_path_factory.mktemp("tries") / "tries.json"
    done = []
    file = TriesFile(path, lambda: [(n, line(n)) for n in sorted(done)])
    for position, number in enumerate(order):
        done.append(number)
        file.add(number, line(number))
        assert json.loads(path.read_bytes()) == expected(done)
        if position in touched:
            path.write_text("[]")
    file.flush()
    assert json.loads(path.read_bytes()) == expected(done if 8 not in touched else [])
    assert [entry.name for entry in path.parent.iterdir()] == ["tries.json"]


def test_a_trial_that_is_in_the_file_is_not_added_twice(tmp_path):
    path = tmp_path / "tries.json"
    file = TriesFile(path, lambda: [(n, line(n)) for n in range(4)])
    file.rebuild()
    file.add(2, line(2))
    file.add(5, line(5))
    assert json.loads(path.read_bytes()) == expected([0, 1, 2, 3, 5])


def test_a_file_that_shrinks_under_the_copy_is_told(tmp_path):
    path = tmp_path / "tries.json"
    path.write_bytes(b"[\n")
    with path.with_suffix(".copy").open("wb") as copy, pytest.raises(OSError, match="became shorter"):
        _copy(path, copy, 10)


def test_one_trial_per_line(tmp_path):
    path = tmp_path / "tries.json"
    file = TriesFile(path, list)
    file.rebuild()
    assert not path.exists()
    for number in range(3):
        file.add(number, line(number))
    assert path.read_bytes() == b"[\n" + b",\n".join(line(n) for n in range(3)) + b"\n]\n"


def test_a_large_file_is_written_now_and_then_and_at_the_end(tmp_path):
    path = tmp_path / "tries.json"
    file = TriesFile(path, list)
    big = json.dumps({"pad": "x" * 200_000}).encode()
    sizes = set()
    for number in range(40):
        file.add(number, big)
        sizes.add(path.stat().st_size)
    assert len(sizes) < 40
    file.flush()
    assert len(json.loads(path.read_bytes())) == 40
