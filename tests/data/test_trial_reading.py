"""FK tables without a manifest: those that end the process that reads them, and what is remembered of the others."""

import shutil
import sys
from pathlib import Path

import pytest

from hyperparton.data import trial_reading
from hyperparton.data.commondata import FKOperands
from hyperparton.data.fktables import load_observable
from hyperparton.data.theory_folder import SHIPPED, TABLE_SUFFIX, find_theory
from hyperparton.data.trial_reading import expect_readable
from hyperparton.errors import TheoryError

NAME = "NNPDF_INTEG_XV8_40"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A theory of one table without a manifest, and nothing remembered."""
    monkeypatch.setenv("HYPERPARTON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trial_reading, "_KNOWN", {})
    source, folder = SHIPPED / "theory_40000000", tmp_path / "theory_40000000"
    (folder / "fastkernel").mkdir(parents=True)
    shutil.copy(source / "theory_card.yaml", folder)
    return Path(shutil.copy(source / "fastkernel" / f"{NAME}{TABLE_SUFFIX}", folder / "fastkernel"))


def load(table):
    theory = find_theory(40_000_000, table.parents[1])
    return load_observable("SET", FKOperands(((NAME,),), "NULL", 1.0, {}, {}), theory).tables[0].values


@pytest.mark.parametrize("place", [(248, 0), (287, 2), (246, 3)])
def test_flipped_bits_that_ask_for_all_memory(table, place):
    content = bytearray(table.read_bytes())
    content[place[0]] ^= 1 << place[1]
    table.write_bytes(content)
    with pytest.raises(TheoryError, match=rf"{NAME}{TABLE_SUFFIX} cannot be read as an FK table"):
        load(table)


def test_what_was_read_well_is_remembered_by_size_and_time(table, monkeypatch):
    assert load(table).any()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # no other process can be started
    assert load(table).any()
    trial_reading._KNOWN.clear()  # as in a new process
    assert load(table).any()
    table.write_bytes(table.read_bytes() + b"more")
    with pytest.raises(TheoryError, match="no process can be started to read FK tables: No such file"):
        load(table)


@pytest.mark.parametrize("cache", ["off", "/proc/nowhere"])
def test_without_a_cache(table, monkeypatch, cache):
    monkeypatch.setenv("HYPERPARTON_CACHE", cache)
    assert load(table).any()


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[1]", b"\xff", b'{"a": 1}'])
def test_a_damaged_cache(table, tmp_path, content):
    load(table)
    (remembered,) = (tmp_path / "cache" / "tables").iterdir()
    remembered.write_bytes(content)
    trial_reading._KNOWN.clear()
    assert load(table).any()


def test_files_that_are_not_there_are_left_to_the_reading(table):
    expect_readable([table.with_name("none"), table.with_name("a\nb"), table.parent / "a\0b"])


def test_theories_with_a_manifest_need_none(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    theory = find_theory(40_000_000)
    assert load_observable("SET", FKOperands(((NAME,),), "NULL", 1.0, {}, {}), theory).tables[0].values.any()
