"""Predictions without tables: which rows are taken, and (with the extra `theory`) what is computed for them."""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np
import pytest
from click.testing import CliRunner

from hyperparton.cli.theory import theory
from hyperparton.data.theory_folder import SHIPPED
from hyperparton.errors import TheoryError
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import read_card
from hyperparton.theory.coefficients import Point, YadismObservable
from hyperparton.theory.direct import DirectTheory, PlainJob, direct_jobs, sample_rows
from hyperparton.theory.fonll import parts_of
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import CoefficientJob, EvolutionJob, Row
from hyperparton.theory.observables import DISTable
from hyperparton.theory.plan import KinematicLimits, expand_datasets, plan_tables

F2 = YadismObservable("F2_light", "EM", tmc=False)


@pytest.fixture(scope="module")
def planned():
    return plan_tables(expand_datasets(["all"]), KinematicLimits())


@pytest.mark.parametrize("each", [1, 2, 3])
def test_sampled_rows(planned, each):
    tables = {table.name: table for table in planned if isinstance(table.kind, DISTable)}
    rows = sample_rows(planned, each)
    assert rows == sample_rows(planned, each)
    found = defaultdict(list)
    for row in rows:
        found[row.table].append(row)
    assert set(found) == set(tables)
    for name, some in found.items():
        assert len({row.index for row in some}) == each
        assert all(row in tables[name].rows for row in some)
        # one of every share: in the order of Q², as the shares are
        scales = sorted(row.point.q2 for row in tables[name].rows)
        places = [(scales.index(row.point.q2), scales[::-1].index(row.point.q2)) for row in some]
        size = len(scales) / each
        for share, (low, high) in enumerate(places):
            assert low < size * (share + 1) + 1
            assert len(scales) - high > size * share - 1
    # far fewer scales than rows: they are what costs
    assert len({row.point.q2 for row in rows}) <= 0.25 * len(rows)


def test_a_missing_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("yadism", "eko")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yadism", None)
    command = ["check", str(SHIPPED / "theory_208"), "-d", "NNPDF_POS_2P24GEV_F2U", "--direct", "1"]
    shown = CliRunner().invoke(theory, command)
    assert isinstance(shown.exception, TheoryError)
    assert "needs the package yadism, which is not installed" in str(shown.exception)


@pytest.mark.theory
def test_each_factor_and_each_part_is_computed_once():
    card = read_card("40000000")
    rows = [Row("A", 0, F2, Point(0.1, 30.0)), Row("B", 7, F2, Point(0.1, 30.0)), Row("A", 1, F2, Point(0.2, 10.0))]
    jobs = direct_jobs(card, rows)
    plain = [(job.part.name, job.point.x) for job in jobs if isinstance(job, PlainJob)]
    below, above = ("massive3", "limit3", "massless4", "mass4"), ("limit4", "massless5", "mass5")
    assert sorted(plain) == sorted([(name, x) for name in below for x in (0.1, 0.2)] + [(name, 0.1) for name in above])
    steps = [(job.segment.nf, job.segment.target) for job in jobs if isinstance(job, EvolutionJob)]
    # to 3 flavours down to the charm mass, matching there, and up; to 5 up to the bottom mass, matching there, and up
    charm, bottom = 1.51**2, 4.92**2
    expected = [(4, charm), (4, charm), (3, 30.0), (3, 10.0), (4, 30.0), (4, 10.0), (4, bottom), (5, bottom), (5, 30.0)]
    assert sorted(steps) == [(nf, pytest.approx(q2)) for nf, q2 in sorted(expected)]


@pytest.mark.theory
@pytest.mark.filterwarnings("ignore")  # numba's and scipy's, inside yadism
def test_plain_coefficients_are_those_of_the_common_quadrature():
    card, point = read_card("208"), Point(0.3, 5.0)
    part = next(part for part in parts_of(card) if part.name == "massless4")
    plain = PlainJob(card, part, F2, point).compute()
    common = CoefficientJob(card, part, 0, (Row("T", 0, F2, point),)).compute()
    assert plain["orders"].tolist() == [0, 1]
    np.testing.assert_allclose(plain["values"], common["values"][0], rtol=1e-6, atol=1e-9)


@pytest.mark.theory
def test_a_prediction_needs_its_pieces(tmp_path):
    card = read_card("208")
    direct = DirectTheory(card, np.zeros((14, len(x_grid()))), PieceCache(tmp_path))
    with pytest.raises(TheoryError, match=r"the piece .*plain-massive3-f2_light-q2_5-x_0.3.* is missing or damaged"):
        direct.predict(F2, Point(0.3, 5.0))
