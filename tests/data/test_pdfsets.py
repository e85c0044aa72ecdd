"""PDF sets: finding them, the evolution basis of known functions, and files that would crash their reader."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data.pdfsets import SHIPPED_SET, PDFSet, data_paths, find_pdfset
from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.errors import PDFSetError

X = np.geomspace(1e-4, 1.0, 40)
Q = np.array([1.0, 1.65, 5.0, 100.0])
PIDS = (-4, -3, -2, -1, 1, 2, 3, 4, 21, 22)


def xf(pid, x, scale=1.0):
    """Different for each flavour, the same at all q, zero at x = 1."""
    return scale * (1 + 0.1 * pid) * x**0.25 * (1 - x) ** 2


def member(pids=PIDS, scale=1.0):
    rows = [" ".join(f"{xf(pid, x, scale):.12e}" for pid in pids) for x, _ in product(X, Q)]
    grid = ["---", " ".join(f"{x:.12e}" for x in X), " ".join(f"{q:.6e}" for q in Q), " ".join(map(str, pids)), *rows]
    return "\n".join(["PdfType: central", "Format: lhagrid1", *grid, "---", ""])


def make_set(folder, name="TOY", members=2, pids=PIDS):
    path = folder / name
    path.mkdir(parents=True)
    info = ["SetDesc: toy", "SetIndex: 0", "Format: lhagrid1", f"NumMembers: {members}", "Particle: 2212"]
    info += [f"Flavors: [{', '.join(map(str, pids))}]", "OrderQCD: 2", "ErrorType: replicas", "XMin: 1e-4", "XMax: 1"]
    info += ["QMin: 1", "QMax: 100", "AlphaS_Type: ipol", "AlphaS_Qs: [1, 10, 100]", "AlphaS_Vals: [0.4, 0.2, 0.1]"]
    (path / f"{name}.info").write_text("\n".join([*info, ""]))
    for number in range(members):
        (path / f"{name}_{number:04d}.dat").write_text(member(pids, 1.0 + number))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    return tmp_path


def test_the_evolution_basis(folder):
    """The definitions written out: V_n and T_n compare the lightest flavours with the next (arXiv:1410.8849, eq. 2)."""
    make_set(folder)
    found = find_pdfset("TOY")
    assert found.members == 2
    nodes = X[5:-1:7]
    values = found.evolution_basis(nodes, 1.65)
    assert values.shape == (2, len(EVOLUTION_BASIS), len(nodes))
    f = {pid: xf(pid, nodes) for pid in PIDS}
    plus = {q: f[q] + f[-q] for q in (1, 2, 3, 4)}
    minus = {q: f[q] - f[-q] for q in (1, 2, 3, 4)}
    sigma, valence = sum(plus.values()), sum(minus.values())
    expected = {
        "photon": f[22],
        "sigma": sigma,
        "g": f[21],
        "v": valence,
        "v3": minus[2] - minus[1],
        "v8": minus[2] + minus[1] - 2 * minus[3],
        "v15": minus[2] + minus[1] + minus[3] - 3 * minus[4],
        "v24": valence,
        "v35": valence,
        "t3": plus[2] - plus[1],
        "t8": plus[2] + plus[1] - 2 * plus[3],
        "t15": plus[2] + plus[1] + plus[3] - 3 * plus[4],
        "t24": sigma,
        "t35": sigma,
    }
    for row, name in enumerate(EVOLUTION_BASIS):
        np.testing.assert_allclose(values[0, row], expected[name.lower()], rtol=1e-7, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(values[1], 2 * values[0], rtol=1e-9, atol=1e-10)


def test_members_are_chosen_by_number(folder):
    make_set(folder, members=3)
    found = find_pdfset("TOY")
    np.testing.assert_allclose(
        found.evolution_basis(X[3:5], 1.65, members=[2, 0]), found.evolution_basis(X[3:5], 1.65)[[2, 0]]
    )
    with pytest.raises(PDFSetError, match=r"PDF set TOY has no member file TOY_0007\.dat"):
        found.evolution_basis(X[3:5], 1.65, members=[7])


def test_flavours_that_a_set_lacks_are_zero(folder):
    make_set(folder, pids=(-2, -1, 1, 2, 21))
    values = find_pdfset("TOY").evolution_basis(X[3:5], 1.65, members=[0])[0]
    rows = {name.lower(): values[row] for row, name in enumerate(EVOLUTION_BASIS)}
    np.testing.assert_array_equal(rows["photon"], 0.0)
    np.testing.assert_allclose(rows["t8"], rows["sigma"], rtol=1e-12)


def test_the_gluon_by_its_other_number(folder):
    make_set(folder, pids=(-1, 0, 1))
    values = find_pdfset("TOY").evolution_basis(X[3:5], 1.65, members=[0])[0]
    np.testing.assert_allclose(values[EVOLUTION_BASIS.index("g")], xf(0, X[3:5]), rtol=1e-7)


@pytest.mark.parametrize(("x", "q"), [(1e-5, 1.65), (1.1, 1.65), (0.1, 0.9), (0.1, 200.0)])
def test_outside_the_grid(folder, x, q):
    make_set(folder)
    with pytest.raises(PDFSetError, match="of TOY goes from"):
        find_pdfset("TOY").evolution_basis(np.array([x]), q)


def test_the_edges_of_the_grid(folder):
    make_set(folder)
    values = find_pdfset("TOY").evolution_basis(np.array([1e-4 * (1 - 1e-12), 1.0]), 1.0, members=[0])
    np.testing.assert_allclose(values[0, :, 1], 0.0, atol=1e-10)


def test_the_set_that_ships_nearly_keeps_the_momentum_sum_rule():
    """It is a fit for t0 alone: 0.97 of the momentum; a wrong weight in x or a flavour lost would be far off."""
    found = find_pdfset(SHIPPED_SET)
    x, weights = np.polynomial.legendre.leggauss(400)
    t = 0.5 * np.log(1e-9) * (1 - x)  # x = exp(t)
    values = found.evolution_basis(np.exp(t), 1.65, members=[0])[0]
    momentum = values[EVOLUTION_BASIS.index("sigma")] + values[EVOLUTION_BASIS.index("g")]
    integral = np.sum(weights * momentum * np.exp(t)) * -0.5 * np.log(1e-9)
    assert integral == pytest.approx(1.0, abs=0.04)


def test_where_sets_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"{tmp_path / 'a'}::{tmp_path / 'b'}")
    paths = data_paths()
    assert paths[:3] == (tmp_path / "a", tmp_path / "b", Path(sys.prefix) / "share" / "LHAPDF")
    make_set(tmp_path / "b", "TOY")
    (tmp_path / "a" / "TOY").mkdir(parents=True)  # a folder without .info is no set
    assert find_pdfset("TOY").path == tmp_path / "b" / "TOY"
    make_set(tmp_path / "b", SHIPPED_SET)
    assert find_pdfset(SHIPPED_SET).path == tmp_path / "b" / SHIPPED_SET


def test_a_set_that_is_not_there_names_three_ways_out(folder):
    with pytest.raises(PDFSetError) as told:
        find_pdfset("NNPDF40_nnlo")
    ways = ("lhapdf install NNPDF40_nnlo", "LHAPDF_DATA_PATH", "--t0pdfset NAME", f"--t0pdfset {SHIPPED_SET}")
    for part in (str(folder), *ways):
        assert part in str(told.value)
    assert isinstance(told.value, FileNotFoundError)


@pytest.mark.parametrize("name", ["", ".", "..", "../TOY", "a/b", "/etc"])
def test_names_that_are_paths(folder, name):
    make_set(folder)
    with pytest.raises(PDFSetError, match="named by its folder's name"):
        find_pdfset(name)


LINES = member().split("\n")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n".join([*LINES[:5], " ".join(["1"] * len(PIDS)), *LINES[6:]]),
        "\n".join([*LINES[:4], "1.0 5.0 1.65 100.0", *LINES[5:]]),
        "no grid\n",
        member().replace("lhagrid1", "lhagrid2"),
        member()[: len(member()) // 2],
        member()[:-40],
        "\n".join([*LINES[:-3], "---", ""]),
        "\n".join([*LINES[:8], LINES[8] + " 1.0", *LINES[9:]]),
        "\n".join([*LINES[:8], LINES[8].replace("e", "x"), *LINES[9:]]),
        "\n".join([*LINES[:8], " ".join(["nan"] * len(PIDS)), *LINES[9:]]),
        "\n".join([*LINES[:3], " ".join(reversed(LINES[3].split())), *LINES[4:]]),
        "\n".join([*LINES[:3], " ".join(["0.1"] * len(X)), *LINES[4:]]),
        "\n".join([*LINES[:5], "u d s", *LINES[6:]]),
        "\n".join([*LINES[:3], "---", ""]),
        member() + "more",
        "\x00" * 400,
    ],
)
def test_damaged_members(folder, content):
    path = make_set(folder) / "TOY_0000.dat"
    path.write_text(content)
    with pytest.raises(PDFSetError, match=r"TOY_0000\.dat is not a whole grid"):
        PDFSet("TOY", path.parent).evolution_basis(X[3:5], 1.65, members=[0])


def test_too_few_scales_to_interpolate(folder, monkeypatch):
    path = make_set(folder)
    monkeypatch.setitem(globals(), "Q", Q[:2])
    (path / "TOY_0000.dat").write_text(member())
    with pytest.raises(PDFSetError, match=r"TOY_0000\.dat has a grid of 40 x and 2 q: .* needs 4 of each"):
        PDFSet("TOY", path).evolution_basis(X[3:5], 1.65, members=[0])


def test_a_member_that_is_no_text(folder):
    path = make_set(folder) / "TOY_0000.dat"
    path.write_bytes(np.random.default_rng(1).bytes(3000))
    with pytest.raises(PDFSetError, match="is not a whole grid"):
        PDFSet("TOY", path.parent).evolution_basis(X[3:5], 1.65, members=[0])


def test_a_set_without_members(folder):
    make_set(folder, members=0)
    found = find_pdfset("TOY")
    assert found.members == 0
    with pytest.raises(PDFSetError, match="no member"):
        found.evolution_basis(X[3:5], 1.65)
