"""Builds: what is refused before anything is computed, and (with the extra `theory`) real ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from hyperparton.cli.theory import theory
from hyperparton.data.fktables import read_fktable
from hyperparton.data.manifest import read_manifest
from hyperparton.data.theory_folder import find_theory
from hyperparton.errors import DataError, TheoryError
from hyperparton.theory.build import build
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import read_card
from hyperparton.theory.check import check_theory
from hyperparton.theory.coefficients import Point, YadismObservable
from hyperparton.theory.fonll import parts_of
from hyperparton.theory.jobs import CoefficientJob, Row, batches
from hyperparton.theory.pool import run_jobs

INTEGRABILITY = ("XV", "XV3", "XV8", "XT3", "XT8")


@pytest.mark.parametrize("package", ["yadism", "eko"])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TheoryError, match=r"not installed; install it with: pip install 'hyperparton\[theory\]'"):
        build("40000000", ["NNPDF_INTEG_3GEV_XV"], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("card", "datasets", "error", "said"),
    [
        ("40000000", ["SLAC_NC_NOTFIXED_P_EM-F4"], DataError, "unknown data set"),
        ("40000000", ["ATLAS_TTBAR_7TEV_TOT_X-SEC"], TheoryError, "cannot be computed"),
        ("40000000", [], TheoryError, "no data sets"),
        ("200", ["dis"], TheoryError, r"200.yaml: "),
    ],
)
def test_refused_before_anything_is_computed(tmp_path, card, datasets, error, said):
    if card == "200":
        path = tmp_path / "200.yaml"
        path.write_text(read_card("40000000").path.read_text(encoding="utf-8").replace("IC: 1", "IC: 0"), "utf-8")
        card = path
    with pytest.raises(error, match=said):
        build(card, datasets, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_fault_in_any_card_is_told_before_the_first_is_built(tmp_path):
    shown = CliRunner().invoke(theory, ["build", "40000000", "999999", "-o", str(tmp_path / "out")])
    assert isinstance(shown.exception, TheoryError)
    assert not (tmp_path / "out").exists()


def test_batches_keep_rows_of_one_scale_together():
    observable = YadismObservable("F2_total", "NC")
    rows = [Row("T", place, observable, Point(0.1, float(place // 50))) for place in range(400)]
    rows += [Row("P", place, YadismObservable("F2_light", "EM", tmc=False), Point(0.1, 5.0)) for place in range(3)]
    found = batches(rows)
    assert sorted((row.table, row.index) for batch in found for row in batch) == sorted(
        (r.table, r.index) for r in rows
    )
    scales = [{(row.observable.process, row.point.q2) for row in batch} for batch in found]
    assert sum(map(len, scales)) == len(set.union(*scales))
    assert max(map(len, found)) <= 150


@pytest.mark.theory
def test_integrability_tables_from_nothing(tmp_path):
    folder = build("40000000", ["integrability"], tmp_path)
    report = check_theory(folder)
    assert report.faults == ()
    assert len(report.tables) == 5
    part = read_fktable(find_theory(40000000, tmp_path).table("NNPDF_INTEG_XV8_40"))
    assert (part.q0, part.channels) == (1.65, ((5,),))
    np.testing.assert_allclose(part.values, [[[1.0, 0.0]]])  # x f itself, at 1e-9
    manifest = read_manifest(folder)
    assert manifest["builds"][0]["packages"]["yadism"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["theory_40000000"]


@pytest.fixture
def job():
    card = read_card("208")
    part = next(part for part in parts_of(card) if part.name == "massless4")
    row = Row("SLAC_NC_EM_P_F2", 0, YadismObservable("F2_light", "EM", tmc=False), Point(0.3, 5.0))
    return CoefficientJob(card, part, 0, (row,))


@pytest.mark.theory
def test_pieces_are_computed_once(tmp_path, job):
    store, told = PieceCache(tmp_path), []
    seconds = run_jobs([job], store, 1, told.append)
    assert list(seconds) == [job.label]
    assert seconds[job.label] > 0
    first = store.load(job.path(store))["values"]
    assert first.shape == (1, 2, 14, 50)
    assert run_jobs([job], store, 1, told.append) == seconds
    assert [progress.done for progress in told] == [1, 1]
    job.path(store).write_bytes(b"damaged")
    assert run_jobs([job], store, 1, told.append) != seconds
    np.testing.assert_array_equal(store.load(job.path(store))["values"], first)


@pytest.mark.theory
def test_a_job_that_fails_says_which(tmp_path, job):
    row = Row("T", 0, YadismObservable("F2_light", "EM", tmc=False), Point(1e-9, 5.0))
    with pytest.raises(TheoryError, match="massless4-em-00 could not be computed: ValueError: x outside"):
        run_jobs([CoefficientJob(job.card, job.part, 0, (row,))], PieceCache(tmp_path), 1, lambda progress: None)
    assert list(tmp_path.iterdir()) == []
