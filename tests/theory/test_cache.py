"""Pieces on disk: whole or not there."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.errors import TheoryError
from hyperparton.theory.cache import PieceCache


@pytest.fixture
def cache(tmp_path):
    return PieceCache(tmp_path / "pieces")


def test_a_piece_comes_back(cache):
    path = cache.path("evolution", {"nf": 4, "q2": 3.49})
    assert cache.load(path) is None
    cache.save(path, {"operator": np.arange(6.0).reshape(2, 3)})
    np.testing.assert_array_equal(cache.load(path)["operator"], np.arange(6.0).reshape(2, 3))
    assert cache.is_complete(path)


def test_other_settings_are_another_file(cache):
    assert cache.path("a", {"nf": 4}) != cache.path("a", {"nf": 5})
    assert cache.path("a", {"nf": 4, "x": [1.0]}) == cache.path("a", {"x": [1.0], "nf": 4})


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:200] + b"?" + data[201:]]
)
def test_a_damaged_piece_counts_as_not_there(cache, damage):
    path = cache.path("a", {})
    cache.save(path, {"values": np.random.default_rng(1).normal(size=400)})
    path.write_bytes(damage(path.read_bytes()))
    assert not cache.is_complete(path)
    assert cache.load(path) is None
    with pytest.raises(TheoryError, match=r"the piece .*a-\w+.npz is missing or damaged; run the same command again"):
        cache.computed(path)
