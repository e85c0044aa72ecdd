"""What `theory check` finds, in whole and in spoilt theory folders."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from hyperparton.cli.theory import theory
from hyperparton.data.manifest import MANIFEST, read_manifest
from hyperparton.data.theory_folder import SHIPPED, TABLE_SUFFIX, find_theory
from hyperparton.errors import TheoryError
from hyperparton.files import checksum
from hyperparton.theory.card import read_card
from hyperparton.theory.check import check_theory, dataset_chi2
from hyperparton.theory.evolution import CHANNELS
from hyperparton.theory.grids import x_grid
from hyperparton.theory.listing import datasets_of_tables, list_theories, theory_folders
from hyperparton.theory.manifest import write_manifest
from hyperparton.theory.plan import KinematicLimits, expand_datasets, plan_tables
from hyperparton.theory.tables import linear_table, write

SLAC = "SLAC_NC_NOTFIXED_P_EM-F2"
TABLE = "SLAC_NC_EM_P_F2"
THEORIES = sorted(path.parent for path in SHIPPED.glob("theory_*/fastkernel"))


@pytest.fixture
def folder(tmp_path):
    """A theory of one table, with a manifest."""
    source = SHIPPED / "theory_40000000"
    path = tmp_path / "theory_40000000"
    (path / "fastkernel").mkdir(parents=True)
    shutil.copy(source / "theory_card.yaml", path)
    file = path / "fastkernel" / f"{TABLE}{TABLE_SUFFIX}"
    shutil.copyfile(source / "fastkernel" / file.name, file)
    entry = {"sha256": checksum(file), "bytes": file.stat().st_size, "build": 0}
    built = {"limits": {"q2min": 3.49, "w2min": 12.5}, "packages": {"eko": "0.15.7"}}
    manifest = {"format": 1, "theoryid": 40000000, "builds": [built], "tables": {TABLE: entry}}
    (path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return path


def _file(folder):
    return folder / "fastkernel" / f"{TABLE}{TABLE_SUFFIX}"


def _rewrite(folder, rows, values):
    write(linear_table(1.65, CHANNELS, x_grid(), values, rows), _file(folder), {})
    manifest = read_manifest(folder)
    manifest["tables"][TABLE]["sha256"] = checksum(_file(folder))
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _faults(folder):
    return "\n".join(check_theory(folder, [SLAC]).faults)


@pytest.fixture(scope="module")
def planned():
    (table,) = plan_tables([SLAC], KinematicLimits())
    return table


@pytest.fixture
def entries(planned):
    values = np.ones((len(planned.computed), len(CHANNELS), len(x_grid())))
    values[~planned.computed] = 0.0
    return values


@pytest.mark.parametrize("path", THEORIES, ids=lambda path: path.name)
def test_shipped_tables_have_no_fault(path):
    names = [name for name in datasets_of_tables() if name.startswith(("NNPDF", "SLAC", "NUTEV", "HERA_CC"))]
    report = check_theory(path, names)
    assert report.faults == ()
    assert len(report.tables) >= 30


def test_a_whole_folder(folder):
    report = check_theory(folder)
    assert report.faults == ()
    assert [(table.name, table.rows, table.computed) for table in report.tables] == [(TABLE, 211, 33)]
    (chi2,) = report.chi2
    assert (chi2.dataset, chi2.points) == (SLAC, 33)
    assert 0.5 < chi2.chi2 < 1.5


def test_chi2_is_told_for_measured_sets_only():
    assert dataset_chi2(SHIPPED / "theory_40000000", ["NNPDF_POS_2P24GEV_XUQ"]) == ()


def test_a_table_with_another_number_of_points(folder, planned, entries):
    _rewrite(folder, planned.coordinates[:200], entries[:200])
    assert f"{_file(folder)} has 200 rows, data set {SLAC} 211 points" in _faults(folder)


def test_a_table_at_other_kinematics(folder, planned, entries):
    rows = [list(row) for row in planned.coordinates]
    rows[5][1] *= 1.1
    _rewrite(folder, rows, entries)
    assert "row 5 is at" in _faults(folder)


def test_a_table_with_an_empty_row(folder, planned, entries):
    row = int(np.flatnonzero(planned.computed)[3])
    entries[row] = 0.0
    _rewrite(folder, planned.coordinates, entries)
    assert f"is zero in rows [{row}]" in _faults(folder)


def test_a_table_that_is_not_finite(folder, planned, entries):
    entries[int(np.flatnonzero(planned.computed)[0]), 2, 30] = np.nan
    _rewrite(folder, planned.coordinates, entries)
    assert "no finite numbers" in _faults(folder)


def test_a_truncated_table(folder):
    _file(folder).write_bytes(_file(folder).read_bytes()[:5000])
    faults = _faults(folder)
    assert f"{_file(folder)} cannot be read as an FK table" in faults
    assert "SHA-256 differs" in faults


def test_a_table_that_is_gone(folder):
    _file(folder).unlink()
    assert f"{_file(folder)} is missing" in "\n".join(check_theory(folder).faults)


def test_a_damaged_manifest(folder):
    (folder / MANIFEST).write_text('{"format": 1, "tables"', encoding="utf-8")
    with pytest.raises(TheoryError, match=r"manifest.json is damaged"):
        check_theory(folder)
    (folder / MANIFEST).write_text('{"format": 2, "tables": {}, "builds": []}', encoding="utf-8")
    with pytest.raises(TheoryError, match="not a manifest of format 1"):
        check_theory(folder)


def test_a_folder_without_theory(tmp_path):
    with pytest.raises(TheoryError, match="there is no theory in"):
        theory_folders(tmp_path)
    with pytest.raises(TheoryError, match="there is no theory in"):
        list_theories([tmp_path])


def test_list_says_what_is_there(folder, monkeypatch):
    monkeypatch.setenv("HYPERPARTON_THEORY", str(folder))
    found, *shipped = list_theories()
    assert (found.theoryid, found.origin, found.tables, found.datasets) == (
        40000000, "HYPERPARTON_THEORY", (TABLE,), (SLAC,),
    )  # fmt: skip
    assert found.size == _file(folder).stat().st_size
    assert found.made_by == "eko 0.15.7"
    assert [each.path for each in shipped] == THEORIES


def test_known_sets_are_known_to_nnpdf_data():
    assert tuple(datasets_of_tables()) == expand_datasets(["all"])


def test_command_list(folder):
    shown = CliRunner().invoke(theory, ["list", "--tables", str(folder.parent)])
    assert shown.exit_code == 0
    assert "theory 40000000: 1 table, 0.1 MB" in shown.output or "theory 40000000: 1 table, 0.0 MB" in shown.output
    assert f"{SLAC}: {TABLE}" in shown.output


def test_command_check(folder):
    shown = CliRunner().invoke(theory, ["check", str(folder.parent), "--datasets", SLAC])
    assert shown.exit_code == 0, shown.output
    assert "1 table, 0 faults" in shown.output
    _file(folder).write_bytes(b"nothing")
    shown = CliRunner().invoke(theory, ["check", str(folder.parent), "--datasets", SLAC])
    assert shown.exit_code == 1
    assert "fault: SLAC_NC_EM_P_F2" in shown.output


def test_a_manifest_that_was_written_is_read(folder):
    """With limits, versions and the checksums of tables and card, which a change of either then contradicts."""
    (folder / MANIFEST).unlink()
    card = read_card(folder / "theory_card.yaml")
    write_manifest(folder, card, [TABLE], {"limits": {"q2min": 3.49, "w2min": 12.5}})
    manifest = read_manifest(folder)
    assert manifest["tables"][TABLE]["sha256"] == hashlib.sha256(_file(folder).read_bytes()).hexdigest()
    assert manifest["card"] == hashlib.sha256((folder / "theory_card.yaml").read_bytes()).hexdigest()
    assert check_theory(folder).faults == ()
    with (folder / "theory_card.yaml").open("a") as stream:
        stream.write("# a comment\n")
    with pytest.raises(TheoryError, match="is not the one that the tables were built with"):
        find_theory(40_000_000, folder)


@pytest.mark.parametrize("place", ["~nobody_of_that_name/x", "n" * 300, "a\0b", "/dev/null"])
def test_places_that_no_folder_has(place):
    with pytest.raises(TheoryError, match="there is no theory in"):
        theory_folders(place)
    with pytest.raises(TheoryError, match="there is no theory in"):
        list_theories([place])
    with pytest.raises(TheoryError, match="there is no theory card"):
        read_card(place)
