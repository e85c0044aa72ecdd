"""Which tables and rows a build has, from nnpdf-data's metadata and kinematics."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.data.commondata import FKOperands, find_metadata, operands_of
from hyperparton.data.theory_folder import SHIPPED, TABLE_SUFFIX
from hyperparton.errors import DataError, TheoryError
from hyperparton.theory.observables import DISTable, DrellYanTable, IntegrabilityTable, PDFTable, table_kind
from hyperparton.theory.plan import KinematicLimits, expand_datasets, kinematics_of, plan_tables
from hyperparton.theory.tables import coordinates

LIMITS = KinematicLimits()


def test_every_table_of_the_known_sets_can_be_computed():
    tables = plan_tables(expand_datasets(["all"]), LIMITS)
    names = {table.name for table in tables}
    wanted = {
        name for each in expand_datasets(["all"]) for name in operands_of(find_metadata(each, with_data=False)).names
    }
    assert names == wanted
    kinds = {kind: sum(isinstance(t.kind, kind) for t in tables) for kind in (DISTable, DrellYanTable, PDFTable)}
    assert kinds[DrellYanTable] == 3
    assert kinds[PDFTable] == 8
    # 19 measured sets have 25 tables: BCDMS p four, BCDMS d three, NMC d/p two; and 11 structure functions
    assert kinds[DISTable] == 25 + 11


def test_number_of_points_of_the_dis_sets_after_the_limits():
    tables = {table.name: int(table.computed.sum()) for table in plan_tables(expand_datasets(["dis"]), LIMITS)}
    # NNPDF4.0's numbers of points after cuts; charm has a stricter cut of its own (37 of 47), and two points of
    # BCDMS p and one of BCDMS d lie at W² = 12.5 GeV², which is computed but cut
    expected = {
        "SLAC_NC_EM_P_F2": 33, "SLAC_NC_EM_D_F2": 34, "CHORUS_CC_NU_PB_SIGMARED": 416, "NUTEV_CC_NU_FE_SIGMARED": 39,
        "NUTEV_CC_NB_FE_SIGMARED": 37, "HERA_NC_318GEV_EM_SIGMARED": 159, "HERA_NC_225GEV_EP_SIGMARED": 204,
        "HERA_NC_251GEV_EP_SIGMARED": 254, "HERA_NC_300GEV_EP_SIGMARED": 70, "HERA_NC_318GEV_EP_SIGMARED": 377,
        "HERA_CC_318GEV_EM_SIGMARED": 42, "HERA_CC_318GEV_EP_SIGMARED": 39, "HERA_NC_318GEV_EAVG_SIGMARED_BOTTOM": 26,
        "HERA_NC_318GEV_EAVG_SIGMARED_CHARM": 47,
    }  # fmt: skip
    assert {name: tables[name] for name in expected} == expected
    assert sum(number for name, number in tables.items() if name.endswith("EM_P_F2") and "BCDMS" in name) == 335
    assert sum(number for name, number in tables.items() if name.endswith("EM_D_F2") and "BCDMS" in name) == 249


def test_rows_are_at_the_kinematics_of_the_shipped_tables():
    for table in plan_tables(expand_datasets(["all"]), LIMITS):
        path = SHIPPED / "theory_40000000" / "fastkernel" / f"{table.name}{TABLE_SUFFIX}"
        if path.is_file():
            np.testing.assert_allclose(table.coordinates, coordinates(path), rtol=3e-3, err_msg=table.name)


def test_nmc_is_computed_at_the_x_before_bin_centring():
    (table,) = plan_tables(["NMC_NC_NOTFIXED_P_EM-SIGMARED"], LIMITS)
    rows = {row.index: row for row in table.rows}
    moved = [index for index in rows if table.kinematics["xraw"][index] != table.kinematics["x"][index]]
    assert moved
    assert all(rows[index].point.x == table.kinematics["xraw"][index] for index in moved)


def test_ratio_has_both_tables_at_all_points():
    deuteron, proton = plan_tables(["NMC_NC_NOTFIXED_EM-F2"], LIMITS)
    assert (deuteron.kind.observable.target, proton.kind.observable.target) == ("isoscalar", "proton")
    assert len(deuteron.computed) == len(proton.computed) == 260


def test_positivity_is_computed_everywhere_without_target_mass():
    (table,) = plan_tables(["NNPDF_POS_2P24GEV_FLL-19PTS"], LIMITS)
    assert table.computed.all()
    assert not table.kind.observable.tmc


def test_tables_of_one_operand_must_fill_the_set():
    short = {"Q2": np.ones(300), "x": np.ones(300)}
    operands = operands_of(find_metadata("BCDMS_NC_NOTFIXED_P_EM-F2", with_data=False))
    with pytest.raises(DataError, match="have 351 rows for 300 points"):
        kinematics_of("BCDMS_NC_NOTFIXED_P_EM-F2", operands, short)


def test_shares_of_unknown_size_are_refused():
    operands = FKOperands((("SLAC_NC_EM_P_F2", "SLAC_NC_EM_D_F2"),), "NULL", 1.0, {}, {})
    with pytest.raises(TheoryError, match="SLAC_NC_EM_P_F2 is one of 2"):
        kinematics_of("x", operands, {"Q2": np.ones(4)})


@pytest.mark.parametrize(
    ("dataset", "error", "said"),
    [
        ("SLAC_NC_NOTFIXED_P_EM-F3", DataError, "unknown data set 'SLAC_NC_NOTFIXED_P_EM-F3'"),
        ("SLACP", DataError, "SLAC_NC_NOTFIXED_P_EM-F2"),
        ("ATLAS_TTBAR_7TEV_TOT_X-SEC", TheoryError, "cannot be computed"),
    ],
)
def test_sets_that_cannot_be_built(dataset, error, said):
    with pytest.raises(error, match=said):
        plan_tables([dataset], LIMITS)


def test_a_set_without_kinematics(monkeypatch, tmp_path):
    metadata = find_metadata("SLAC_NC_NOTFIXED_P_EM-F2", with_data=False)
    empty = tmp_path / "nowhere.yaml"
    monkeypatch.setattr(type(metadata), "path_kinematics", property(lambda self: empty))
    with pytest.raises(DataError, match=r"SLAC_NC_NOTFIXED_P_EM-F2 has no kinematics: .*nowhere.yaml"):
        plan_tables(["SLAC_NC_NOTFIXED_P_EM-F2"], LIMITS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bins:", "points:", "the kinematics .*kinematics.yaml cannot be read: KeyError: 'bins'"),
        ("bins:", "bins: [1", "the kinematics .*kinematics.yaml cannot be read: "),
        ("mid: 0.07", "mid: low", "the kinematics .*kinematics.yaml cannot be read: ValueError: .*'low'"),
        ("mid: 0.07", "mid: .nan", "the kinematics .*kinematics.yaml cannot be read: ValueError: 'nan' is no number"),
        ("Q2:", "Q:", "FK table SLAC_NC_EM_P_F2: the kinematics lack Q2, they have x, Q, y"),
    ],
)
def test_damaged_kinematics(monkeypatch, tmp_path, old, new, said):
    metadata = find_metadata("SLAC_NC_NOTFIXED_P_EM-F2", with_data=False)
    path = tmp_path / "kinematics.yaml"
    path.write_text(metadata.path_kinematics.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    monkeypatch.setattr(type(metadata), "path_kinematics", property(lambda self: path))
    with pytest.raises(DataError, match=said):
        plan_tables(["SLAC_NC_NOTFIXED_P_EM-F2"], LIMITS)


@pytest.mark.parametrize(
    ("limits", "said"), [({"q2min": 0.5}, "q2min: must lie between 1"), ({"w2min": -1.0}, "w2min")]
)
def test_limits_are_checked(limits, said):
    with pytest.raises(TheoryError, match=said):
        KinematicLimits(**limits)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NNPDF_POS_ANTI_UP_40", PDFTable(-2)),
        ("NNPDF_POS_GLUON_Q2_10000", PDFTable(21)),
        ("NNPDF_POS_DYS_40", DrellYanTable(3)),
        ("INTEGXT8", IntegrabilityTable(108)),
    ],
)
def test_kinds(name, kind):
    assert table_kind(name) == kind
