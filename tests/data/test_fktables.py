"""Reading FK tables: small ones made with PineAPPL, put together as nnpdf-data asks, and files that are none."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from pineappl.boc import Bin, BinsWithFillLimits, Channel, Kinematics, Order, ScaleFuncForm, Scales
from pineappl.convolutions import Conv, ConvType
from pineappl.fk_table import FkTable
from pineappl.grid import Grid
from pineappl.interpolation import Interp, InterpolationMethod, MappingMethod, ReweightingMethod
from pineappl.pids import PidBasis
from pineappl.subgrid import ImportSubgridV1

from hyperparton.data import fktables
from hyperparton.data.commondata import FKOperands, find_metadata, operands_of
from hyperparton.data.fktables import load_observable, read_cfactor, read_fktable
from hyperparton.data.theory_folder import SHIPPED, TABLE_SUFFIX, find_theory
from hyperparton.errors import DataError, TheoryError

Q0 = 1.65
X = [1e-3, 0.1, 0.5]
SIGMA, GLUON, T3 = 100, 21, 103
#: their places in the evolution basis
AT = {SIGMA: 1, GLUON: 2, T3: 9}
KIND = ConvType(polarized=False, time_like=False)


def grid_of(values, channels, x=X, pid=2212, kind=KIND, q0=Q0, width=1.0):
    """A PineAPPL grid of (dat, chan, x) or (dat, chan, x, x) values that multiply f at q0."""
    protons = values.ndim - 2
    interpolation = {
        "reweight_meth": ReweightingMethod.NoReweight,
        "interpolation_meth": InterpolationMethod.Lagrange,
    }
    scale = Interp(min=q0**2, max=q0**2, nodes=1, order=0, map=MappingMethod.ApplGridH0, **interpolation)
    nodes = Interp(min=2e-7, max=1.0, nodes=50, order=3, map=MappingMethod.ApplGridF2, **interpolation)
    no_scale = ScaleFuncForm.NoScale(0)
    grid = Grid(
        pid_basis=PidBasis.Evol,
        channels=[Channel([(list(pids), 1.0)]) for pids in channels],
        orders=[Order(0, 0, 0, 0, 0)],
        bins=BinsWithFillLimits(
            [Bin([(float(i), float(i + 1))], width) for i in range(len(values))],
            [float(i) for i in range(len(values) + 1)],
        ),
        convolutions=[Conv(kind, pid)] * protons,
        interpolations=[scale, *[nodes] * protons],
        kinematics=[Kinematics.Scale(0), Kinematics.X(0), Kinematics.X(1)][: protons + 1],
        scale_funcs=Scales(ren=ScaleFuncForm.Scale(0), fac=ScaleFuncForm.Scale(0), frg=no_scale),
    )
    for row, channel in np.ndindex(values.shape[:2]):
        content = np.ascontiguousarray(values[row, channel][None])
        grid.set_subgrid(0, row, channel, ImportSubgridV1(content, [[q0**2], *[list(x)] * protons]).into())
    return grid


def random(*shape):
    return np.random.default_rng(sum(shape)).uniform(0.5, 1.5, size=shape)


@pytest.fixture
def theory(tmp_path):
    """A theory's folder; `add` writes a table of it."""

    def add(name, values, channels, **settings):
        FkTable(grid_of(values, channels, **settings)).write_lz4(tmp_path / f"{name}{TABLE_SUFFIX}")

    return SimpleNamespace(
        fault_of=lambda name: None,
        manifest={},
        table=lambda name: tmp_path / f"{name}{TABLE_SUFFIX}",
        cfactor=lambda kind, name: tmp_path / f"CF_{kind}_{name}.dat",
        add=add,
    )


def operands(*names, operation="NULL", factor=1.0, shifts=None, normalization=None):
    return FKOperands(names, operation, factor, shifts or {}, normalization or {})


def write_cfactor(path, values):
    head = "*" * 9 + "\nSetName: X\n" + "*" * 9 + "\n"
    path.write_text(head + "".join(f"  {value}  0.0\n" for value in values))


def test_one_proton(theory):
    content = random(2, 2, 3)
    theory.add("A", content, [(SIGMA,), (T3,)])
    found = load_observable("SET", operands(("A",)), theory)
    (table,) = found.tables
    assert (table.q0, table.hadronic, found.ndata, table.channels.tolist()) == (Q0, False, 2, [AT[SIGMA], AT[T3]])
    np.testing.assert_allclose(table.xgrid, X, rtol=1e-12)
    np.testing.assert_allclose(table.values, content / np.array(X), rtol=1e-12)


def test_two_protons(theory):
    content = random(2, 2, 3, 3)
    theory.add("A", content, [(SIGMA, GLUON), (T3, T3)])
    (table,) = load_observable("SET", operands(("A",)), theory).tables
    assert table.hadronic
    assert table.channels.tolist() == [[AT[SIGMA], AT[GLUON]], [AT[T3], AT[T3]]]
    np.testing.assert_allclose(table.values, content / np.outer(X, X), rtol=1e-12)


def test_widths_of_bins_are_divided_out(theory):
    theory.add("A", random(2, 1, 3), [(SIGMA,)], width=2.0)
    part = read_fktable(theory.table("A"))
    np.testing.assert_allclose(part.values, random(2, 1, 3) / np.array(X) / 2.0, rtol=1e-12)


def test_a_table_agrees_with_pineappls_own_convolution(theory):
    """In PineAPPL's hands the table is turned to quarks and convolved with them; here with the evolution basis."""

    def xfx(pid, x, _q2):
        shape = {2: 1.0, 1: 0.7, 3: 0.2, -2: 0.25, -1: 0.3, -3: 0.2, 4: 0.05, -4: 0.05, 21: 2.0}
        return shape.get(pid, 0.0) * x**0.3 * (1 - x) ** 2

    theory.add("A", random(3, 3, 3), [(SIGMA,), (T3,), (GLUON,)])
    table = FkTable.read(theory.table("A"))
    table.rotate_pid_basis(PidBasis.Pdg)
    theirs = table.convolve(pdg_convs=[Conv(KIND, 2212)], xfxs=[xfx])
    (ours,) = load_observable("SET", operands(("A",)), theory).tables
    quarks = {p: np.array([xfx(p, x, 0) for x in X]) for p in (1, 2, 3, 4, -1, -2, -3, -4, 21)}
    sigma = sum(quarks[p] for p in quarks if p != 21)
    triplet = quarks[2] + quarks[-2] - quarks[1] - quarks[-1]
    basis = {AT[SIGMA]: sigma, AT[T3]: triplet, AT[GLUON]: quarks[21]}
    mine = sum(ours.values[:, c] @ basis[channel] for c, channel in enumerate(ours.channels))
    np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_files_one_below_another_on_the_union_of_their_grids(theory):
    first, second = random(2, 1, 3), random(1, 2, 2)
    theory.add("A", first, [(T3,)])
    theory.add("B", second, [(GLUON,), (T3,)], x=[0.1, 0.7])
    (table,) = load_observable("SET", operands(("A", "B")), theory).tables
    np.testing.assert_allclose(table.xgrid, [1e-3, 0.1, 0.5, 0.7], rtol=1e-12)
    assert table.channels.tolist() == [AT[GLUON], AT[T3]]
    expected = np.zeros((3, 2, 4))
    expected[:2, 1, :3] = first[:, 0] / np.array(X)
    expected[2][:, [1, 3]] = second[0] / np.array([0.1, 0.7])
    np.testing.assert_allclose(table.values, expected, rtol=1e-12)


def test_factors_shifts_and_cuts(theory):
    theory.add("A", random(2, 1, 3), [(T3,)])
    theory.add("B", random(2, 1, 3), [(T3,)])
    write_cfactor(theory.cfactor("MAS", "A"), [2.0, 3.0])
    write_cfactor(theory.cfactor("MAS", "B"), [5.0, 7.0])
    asked = operands(("A", "B"), factor=10.0, shifts={"B": 1}, normalization={"B": 0.5})
    (table,) = load_observable("SET", asked, theory, ["MAS"], kept=np.array([1, 3, 4])).tables
    rows = random(2, 1, 3) / np.array(X)
    np.testing.assert_allclose(table.values, [30 * rows[1], 25 * rows[0], 35 * rows[1]], rtol=1e-12)


def test_a_divisor_of_one_point_serves_all_points(theory):
    theory.add("A", random(3, 1, 3), [(T3,)])
    theory.add("B", random(1, 1, 3), [(T3,)])
    asked = operands(("A",), ("B",), operation="RATIO")
    above, below = load_observable("SET", asked, theory, kept=np.array([0, 2])).tables
    assert (len(above.values), len(below.values)) == (2, 1)


@pytest.mark.parametrize(("names", "operation"), [((("A",), ("A",)), "NULL"), ((("A",),), "RATIO"), ((("A",),), "SUM")])
def test_operations_have_their_number_of_operands(theory, names, operation):
    theory.add("A", random(1, 1, 3), [(T3,)])
    with pytest.raises(DataError, match=f"SET: .* joined by {operation} of {len(names)}, accepted: NULL of 1"):
        load_observable("SET", operands(*names, operation=operation), theory)


def test_points_without_a_row(theory):
    theory.add("A", random(2, 1, 3), [(T3,)])
    with pytest.raises(DataError, match=r"SET: the FK tables have no rows for the points \[2\]"):
        load_observable("SET", operands(("A",)), theory, kept=np.array([1, 2]))


def test_tables_that_do_not_go_together(theory):
    theory.add("A", random(1, 1, 3), [(T3,)])
    theory.add("B", random(1, 1, 3, 3), [(T3, T3)])
    theory.add("C", random(1, 1, 3), [(T3,)], q0=2.0)
    for other in "BC":
        with pytest.raises(TheoryError, match="differ in their number of protons or in their scale"):
            load_observable("SET", operands(("A", other)), theory)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"xgrid": np.array([0.1, 0.2])}, "its bins, channels and x nodes do not fit together"),
        ({"xgrid": np.array([0.3, 0.2, 0.1])}, "its bins, channels and x nodes do not fit together"),
        ({"xgrid": np.array([-0.1, 0.2, 0.3])}, "its bins, channels and x nodes do not fit together"),
        ({"normalizations": np.ones(3)}, "its bins, channels and x nodes do not fit together"),
        ({"normalizations": np.array([1.0, 0.0])}, "its scale or a width of a bin is no number above 0"),
        ({"scale2": np.nan}, "its scale or a width of a bin is no number above 0"),
    ],
)
def test_contents_that_contradict_one_another(theory, monkeypatch, settings, message):
    """Flipped bits leave such files; none can be written."""
    theory.add("A", random(2, 1, 3), [(T3,)])
    read = fktables._read(theory.table("A"))
    monkeypatch.setattr(fktables, "_read", lambda path: read._replace(**settings))
    with pytest.raises(TheoryError, match=message):
        read_fktable(theory.table("A"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pid": 211}, "one or two unpolarized protons"),
        ({"kind": ConvType(polarized=True, time_like=False)}, "one or two unpolarized protons"),
        ({"kind": ConvType(polarized=False, time_like=True)}, "one or two unpolarized protons"),
    ],
)
def test_other_hadrons_are_refused(theory, settings, message):
    theory.add("A", random(1, 1, 3), [(T3,)], **settings)
    with pytest.raises(TheoryError, match=message):
        read_fktable(theory.table("A"))


def test_another_basis_is_refused(theory):
    theory.add("A", random(1, 1, 3), [(2,)])
    with pytest.raises(TheoryError, match="not in the evolution basis: it has a flavour numbered 2"):
        read_fktable(theory.table("A"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(theory, bad):
    content = random(2, 1, 3)
    content[1, 0, 2] = bad
    theory.add("A", content, [(T3,)])
    with pytest.raises(TheoryError, match="no finite numbers"):
        read_fktable(theory.table("A"))


SHIPPED_TABLE = SHIPPED / "theory_40000000" / "fastkernel" / f"INTEGXT3{TABLE_SUFFIX}"


def test_what_pineappl_says_of_a_panic_does_not_appear(tmp_path, capfd):
    path = tmp_path / f"X{TABLE_SUFFIX}"
    path.write_bytes(SHIPPED_TABLE.read_bytes()[:300])
    with pytest.raises(TheoryError) as told:
        read_fktable(path)
    assert capfd.readouterr().err == ""
    assert "acktrace" not in str(told.value)
    assert "unwrap" not in str(told.value)
    os.write(2, b"standard error is as it was")
    assert capfd.readouterr().err == "standard error is as it was"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not a table",
        lambda content: bytes(500),
        lambda content: content[: len(content) // 2],
        lambda content: content[:8],
        lambda content: content[8:],
        lambda content: content[:200] + b"\xff" * 50 + content[250:],
        lambda content: np.random.default_rng(1).bytes(2000),
        lambda content: b"PineAPPL" + bytes(range(256)),
    ],
)
def test_damaged_files_are_errors(tmp_path, damage):
    path = tmp_path / f"X{TABLE_SUFFIX}"
    path.write_bytes(damage(SHIPPED_TABLE.read_bytes()))
    with pytest.raises(TheoryError, match="cannot be read as an FK table"):
        read_fktable(path)


def test_what_is_no_file_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "absent.pineappl.lz4"):
        with pytest.raises(TheoryError, match="cannot be read as an FK table"):
            read_fktable(path)


def test_every_table_that_ships_can_be_read():
    for path in sorted(SHIPPED.glob(f"*/fastkernel/*{TABLE_SUFFIX}")):
        part = read_fktable(path)
        assert np.isclose(part.q0, Q0)
        protons = 2 if part.hadronic else 1
        assert part.channels.shape[1:] == ((2,) if part.hadronic else ())
        assert part.values.shape[1:] == (len(part.channels), *[len(part.xgrid)] * protons)
        assert np.isfinite(part.values).all()


def test_a_factor_file(tmp_path):
    path = tmp_path / "CF_MAS_X.dat"
    write_cfactor(path, [1.5, "2e0", 3])
    assert read_cfactor(path).tolist() == [1.5, 2.0, 3.0]


@pytest.mark.parametrize("text", ["", "1.0 0.0\n", "***\nno end\n", "***\nhead\n***\none 0.0\n", "1\n***\n***\n2"])
def test_bad_factor_files(tmp_path, text):
    path = tmp_path / "CF_MAS_X.dat"
    path.write_text(text)
    with pytest.raises(DataError, match=r"CF_MAS_X\.dat is not a C-factor file"):
        read_cfactor(path)


def test_binary_and_absent_factor_files(tmp_path):
    path = tmp_path / "CF_MAS_X.dat"
    with pytest.raises(TheoryError, match=r"CF_MAS_X\.dat cannot be read"):
        read_cfactor(path)
    path.write_bytes(b"***\n\xff\xfe\n***\n1.0 0\n")
    with pytest.raises(DataError, match="is not a C-factor file"):
        read_cfactor(path)


def test_factors_that_are_no_numbers(tmp_path):
    path = tmp_path / "CF_MAS_X.dat"
    write_cfactor(path, [1.0, "nan"])
    with pytest.raises(DataError, match="no finite numbers"):
        read_cfactor(path)


def test_factors_for_another_number_of_points(theory):
    theory.add("A", random(2, 1, 3), [(T3,)])
    write_cfactor(theory.cfactor("MAS", "A"), [1.0])
    with pytest.raises(DataError, match=r"CF_MAS_A\.dat has 1 factor for an FK table of 2 points"):
        load_observable("SET", operands(("A",)), theory, ["MAS"])


def test_points_that_a_table_was_not_built_for():
    operands = operands_of(find_metadata("SLAC_NC_NOTFIXED_P_EM-F2", "legacy_dw"))
    shipped = find_theory(40_000_000)
    whole = load_observable("SLAC", operands, shipped)
    filled = np.flatnonzero(whole.tables[0].values.reshape(211, -1).any(axis=1))
    assert load_observable("SLAC", operands, shipped, kept=filled).ndata == len(filled) == 33
    with pytest.raises(DataError, match=r"SLAC_NC_EM_P_F2 is zero for 1 of the points .* \[0\].*--q2min"):
        load_observable("SLAC", operands, shipped, kept=np.append(filled, 0))
