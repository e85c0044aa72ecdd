"""The rows of the fast path on disk."""

import logging

import numpy as np
import pytest

from hyperparton.files import CACHE_VARIABLE
from hyperparton.fit import row_store
from hyperparton.fit.condensed import Curve, Mixing
from hyperparton.fit.hadronic import Bilinear
from hyperparton.fit.row_store import Rows

RNG = np.random.default_rng(5)
KEY = row_store.key_of("a card")


@pytest.fixture
def rows(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    a, b, c, d, e, f = (RNG.normal(size=shape) for shape in ((3, 4), (4, 3), (2, 5), (5, 2), (3, 6, 8), (4, 6, 8)))
    return Rows(Mixing(Curve(a, b), c, d), e, f)


def stored(tmp_path):
    (path,) = (tmp_path / "rows").iterdir()
    return path


def test_what_is_kept_comes_back_to_the_last_digit(rows, tmp_path):
    assert row_store.read(KEY) is None
    row_store.write(KEY, rows)
    again = row_store.read(KEY)
    np.testing.assert_array_equal(again.mixing.curve.mixing, rows.mixing.curve.mixing)
    np.testing.assert_array_equal(again.mixing.curve.unmixed, rows.mixing.curve.unmixed)
    np.testing.assert_array_equal(again.mixing.mixing, rows.mixing.mixing)
    np.testing.assert_array_equal(again.mixing.lift, rows.mixing.lift)
    np.testing.assert_array_equal(again.around, rows.around)
    np.testing.assert_array_equal(again.changes, rows.changes)
    assert row_store.read(row_store.key_of("another card")) is None


@pytest.mark.parametrize("damage", ["shortened", "one bit"])
def test_damaged_rows_are_not_used(rows, tmp_path, caplog, damage):
    row_store.write(KEY, rows)
    path = stored(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) - 9] if damage == "shortened" else content)
    with caplog.at_level(logging.WARNING, "hyperparton"):
        assert row_store.read(KEY) is None
    assert str(path) in caplog.text
    assert "are found anew" in caplog.text
    row_store.write(KEY, rows)
    assert row_store.read(KEY) is not None


def test_without_a_cache_nothing_is_kept(rows, monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    row_store.write(KEY, rows)
    assert row_store.read(KEY) is None
    assert not list(tmp_path.iterdir())


def test_a_key_names_every_number():
    eye = np.eye(2)
    table = Bilinear(np.array([1, 2]), eye, eye, np.ones((3, 8)))
    other = Bilinear(np.array([1, 2]), eye, eye, np.ones((3, 8)) + 1e-15)
    keys = {row_store.key_of(each, accuracy) for each in (table, other, (table, other)) for accuracy in (1e-5, 1e-4)}
    assert len(keys) == 6
    assert row_store.key_of((table,)) == row_store.key_of([table])
