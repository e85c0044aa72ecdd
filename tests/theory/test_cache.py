"""Pieces on disk: whole or not there."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.theory.cache import PieceCache


@pytest.fixture
def store(tmp_path):
    return PieceCache(tmp_path / "pieces")


def test_a_piece_comes_back(store):
    path = store.path("evolution", {"nf": 4, "q2": 3.49})
    assert store.load(path) is None
    store.save(path, {"operator": np.arange(6.0).reshape(2, 3)})
    np.testing.assert_array_equal(store.load(path)["operator"], np.arange(6.0).reshape(2, 3))
    assert store.whole(path)


def test_other_settings_are_another_file(store):
    assert store.path("a", {"nf": 4}) != store.path("a", {"nf": 5})
    assert store.path("a", {"nf": 4, "x": [1.0]}) == store.path("a", {"x": [1.0], "nf": 4})


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:200] + b"?" + data[201:]]
)
def test_a_damaged_piece_counts_as_not_there(store, damage):
    path = store.path("a", {})
    store.save(path, {"values": np.random.default_rng(1).normal(size=400)})
    path.write_bytes(damage(path.read_bytes()))
    assert not store.whole(path)
    assert store.load(path) is None
