"""PDF sets: finding them, the evolution basis of known functions, and files that would crash their reader."""

from __future__ import annotations

import re
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
    ("content", "told"),
    [
        ("", "is no grid in LHAPDF's format"),
        ("no grid\n", "is no grid in LHAPDF's format"),
        ("\x00" * 400, "is no grid in LHAPDF's format"),
        (member().replace("lhagrid1", "lhagrid2"), "is no grid in LHAPDF's format"),
        (member()[: len(member()) // 2], r":\d+: cut off"),
        (member()[:-40], r":\d+: cut off"),
        (member() + "more", r":\d+: cut off"),
        ("\n".join([*LINES[:3], "---", ""]), ":4: a grid has knots"),
        ("\n".join([*LINES[:-3], "---", ""]), r":\d+: the grid has 159 rows, its knots ask for 160"),
        ("\n".join([*LINES[:8], LINES[8] + " 1.0", *LINES[9:]]), ":9: 11 numbers for 10 flavours"),
        ("\n".join([*LINES[:8], LINES[8].replace("e", "x"), *LINES[9:]]), ":9: not a number such as 1.25e-3, given"),
        ("\n".join([*LINES[:8], " ".join(["nan"] * len(PIDS)), *LINES[9:]]), ":9: .* given 'nan'"),
        ("\n".join([*LINES[:8], " ".join(["1e999"] * len(PIDS)), *LINES[9:]]), ":9: .* given '1e999'"),
        ("\n".join([*LINES[:8], " ".join(["1_0"] * len(PIDS)), *LINES[9:]]), ":9: .* given '1_0'"),
        ("\n".join([*LINES[:8], " ".join(["１"] * len(PIDS)), *LINES[9:]]), ":9: .* given '１'"),
        ("\n".join([*LINES[:8], "---", *LINES[9:]]), ":9: the grid has 2 rows"),
        ("\n".join([*LINES[:3], " ".join(reversed(LINES[3].split())), *LINES[4:]]), ":4: the knots in x must"),
        ("\n".join([*LINES[:3], " ".join(["0.1"] * len(X)), *LINES[4:]]), ":4: the knots in x must be above 0"),
        ("\n".join([*LINES[:3], f"-{LINES[3]}", *LINES[4:]]), ":4: the knots in x must be above 0"),
        ("\n".join([*LINES[:3], f"{LINES[3]} 2.0", *LINES[4:]]), ":4: the knots in x go from above 0 to 1, given 2"),
        ("\n".join([*LINES[:4], "1.0 5.0 1.65 100.0", *LINES[5:]]), ":5: the knots in q must be above 0 and rise"),
        ("\n".join([*LINES[:4], "1.0 1.65 5 1e200", *LINES[5:]]), ":5: the knots in q must be above 0 and rise"),
        ("\n".join([*LINES[:4], "1e-200 1.65 5 6", *LINES[5:]]), ":5: the knots in q must be above 0 and rise"),
        ("\n".join([*LINES[:4], "1.0 5.0", *LINES[5:]]), ":5: 2 knots in q: bicubic interpolation needs 4"),
        ("\n".join([*LINES[:5], "u d s", *LINES[6:]]), ":6: the flavours are different PDG numbers, given 'u d s'"),
        ("\n".join([*LINES[:5], " ".join(["1"] * len(PIDS)), *LINES[6:]]), ":6: the flavours are different"),
        ("\n".join([*LINES[:5], "9" * 6000, *LINES[6:]]), ":6: the flavours are different PDG numbers"),
        ("\n".join([*LINES[:5], LINES[5].replace("22", "0"), *LINES[6:]]), ":6: the flavours are different"),
        ("\n".join([*LINES[:5], LINES[5].replace("22", "-7"), *LINES[6:]]), "flavours -7, .*, but TOY.info lists -4,"),
        ("\n".join([*LINES[:6], *[f"{n}1e308 " * len(PIDS) for n in "+-" * 80], "---", ""]), "nothing finite can be"),
    ],
)
def test_damaged_members(folder, content, told):
    path = make_set(folder) / "TOY_0000.dat"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PDFSetError, match=f"{re.escape(str(path))}.*{told}"):
        PDFSet("TOY", path.parent).evolution_basis(X[3:5], Q[0], members=[0])


def test_a_member_that_is_no_text(folder):
    path = make_set(folder) / "TOY_0000.dat"
    path.write_bytes(np.random.default_rng(1).bytes(3000))
    with pytest.raises(PDFSetError, match="is no grid in LHAPDF's format"):
        PDFSet("TOY", path.parent).evolution_basis(X[3:5], 1.65, members=[0])


def test_what_changes_no_number_is_read(folder):
    """Line ends of Windows, an author's name in Latin-1, spaces, another order and a comment in the `.info`."""
    path = make_set(folder)
    expected = find_pdfset("TOY").evolution_basis(X[3:5], 1.65)
    data, info = path / "TOY_0000.dat", path / "TOY.info"
    data.write_bytes(b"\xef\xbb\xbf" + data.read_bytes().replace(b"\n", b"  \r\n"))
    lines = sorted(info.read_bytes().split(b"\n"))
    info.write_bytes(b"\r\n".join([*lines, b"Authors: Andr\xe9", b"# comment", b"Reference: none"]))
    np.testing.assert_array_equal(find_pdfset("TOY").evolution_basis(X[3:5], 1.65), expected)


def test_a_member_of_several_grids(folder):
    """Split at q = 5, where flavours set in; between grids that do not touch there is nothing."""
    path = make_set(folder)
    data = path / "TOY_0000.dat"

    def grid(q):
        rows = [" ".join(f"{xf(pid, x):.12e}" for pid in PIDS) for x, _ in product(X, q)]
        return [" ".join(f"{node:.12e}" for node in nodes) for nodes in (X, q)] + [LINES[5], *rows, "---"]

    lower, upper = grid([1.0, 1.65, 3.0, 5.0]), grid([5.0, 10.0, 50.0, 100.0])
    data.write_text("\n".join([*LINES[:3], *lower, *upper, ""]))
    g = EVOLUTION_BASIS.index("g")
    for q in (1.0, 1.65, 5.0, 7.0, 100.0):
        np.testing.assert_allclose(find_pdfset("TOY").evolution_basis(X, q, [0])[0, g], xf(21, X), rtol=1e-7, atol=1e-9)
    data.write_text("\n".join([*LINES[:3], *upper, *lower, ""]))
    with pytest.raises(PDFSetError, match="grid 2 begins at q = 1, below the end of the one before it"):
        find_pdfset("TOY").evolution_basis(X, 1.65, [0])
    data.write_text("\n".join([*LINES[:3], *lower, *grid([6.0, 10.0, 50.0, 100.0]), ""]))
    with pytest.raises(PDFSetError, match="of TOY goes from 36 to 10000, asked for 30"):
        find_pdfset("TOY").evolution_basis(X, 5.5, [0])


def test_flavours_beyond_quarks_gluon_and_photon_are_left_alone(folder):
    make_set(folder, pids=(-15, -11, -1, 1, 11, 21, 23, 1000021))
    values = find_pdfset("TOY").evolution_basis(X[3:5], 1.65, members=[0])[0]
    np.testing.assert_allclose(values[EVOLUTION_BASIS.index("g")], xf(21, X[3:5]), rtol=1e-7)


NEEDED = ("SetDesc", "SetIndex", "Format", "NumMembers", "Flavors", "XMin", "XMax", "QMin", "QMax")


@pytest.mark.parametrize("key", NEEDED)
def test_an_info_without_an_entry(folder, key):
    path = make_set(folder) / "TOY.info"
    path.write_text("\n".join(line for line in path.read_text().split("\n") if not line.startswith(key)))
    with pytest.raises(PDFSetError, match=rf"TOY\.info:1:1: the \.info of a PDF set lacks {key}, accepted: "):
        find_pdfset("TOY")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("SetIndex", "-1", "SetIndex: this cannot be used, given -1, accepted: a whole number from 0"),
        ("SetIndex", "9" * 5000, "SetIndex: not a value: a whole number of 5000 digits"),
        ("SetIndex", "0x" + "F" * 5000, "SetIndex: not a value: a whole number of 5002 digits"),
        ("QMax", "!!bool maybe", "QMax: not a value: not one of true, false"),
        ("SetIndex", "9" * 30, "SetIndex: .* accepted: a whole number from 0"),
        ("NumMembers", "2.5", "NumMembers: .* accepted: a whole number from 0"),
        ("NumMembers", "true", "NumMembers: .* accepted: a whole number from 0"),
        ("NumMembers", "two", "NumMembers: .* given 'two'"),
        ("Flavors", "21", "Flavors: .* accepted: a list of different PDG numbers"),
        ("Flavors", "[21, 21]", "Flavors: .* accepted: a list of different PDG numbers"),
        ("Flavors", "[[21]]", "Flavors: .* accepted: a list of different PDG numbers"),
        ("Flavors", "[g, u]", "Flavors: .* accepted: a list of different PDG numbers"),
        ("Flavors", "{1: 2}", "Flavors: .* accepted: a list of different PDG numbers"),
        ("Format", "lhagrid2", "Format: .* accepted: lhagrid1"),
        ("XMin", "0", "XMin: .* accepted: a number above 0"),
        ("XMin", ".inf", "XMin: .* accepted: a number above 0"),
        ("XMin", "", "XMin: .* given None, accepted: a number above 0"),
        ("XMin", "2", "XMax: this must be above XMin, given 1, accepted: above 2"),
        ("QMax", "[100]", "QMax: .* accepted: a number above 0"),
        ("QMax", "*nothing", "not YAML"),
        ("QMax", "'100", "not YAML"),
        ("OrderQCD", "NNLO", "OrderQCD: .* given 'NNLO', accepted: a whole number from 0"),
        ("ErrorType", "[replicas]", "ErrorType: .* accepted: text"),
        ("InterpolatorType", "LogChebyshev", "InterpolatorType: .* accepted: LogBicubic"),
        ("AlphaS_Qs", "[1, 10]", "AlphaS_Vals: AlphaS_Qs and AlphaS_Vals must be equally long, given 2 and 3 numbers"),
        ("AlphaS_Vals", "[0.4, nan, 0.1]", "AlphaS_Vals: .* accepted: a list of numbers above 0"),
    ],
)
def test_an_info_with_a_wrong_entry(folder, key, value, told):
    path = make_set(folder) / "TOY.info"
    lines = [line for line in path.read_text().split("\n") if not line.startswith(key)]
    path.write_text("\n".join([f"{key}: {value}", *lines]))
    with pytest.raises(PDFSetError, match=rf"TOY\.info:\d+:\d+: {told}"):
        find_pdfset("TOY")


def test_every_fault_of_an_info_is_told(folder):
    path = make_set(folder) / "TOY.info"
    path.write_text("SetDesc: a\nSetDesc: b\nQMin: x\n")
    with pytest.raises(PDFSetError) as told:
        find_pdfset("TOY")
    lines = str(told.value).split("\n")
    assert lines[0].startswith(f"{path}:2:1: SetDesc: given a second time")
    assert any(line.startswith(f"{path}:3:7: QMin: this cannot be used, given 'x'") for line in lines)
    assert len(lines) == 2 + len(NEEDED) - 2


@pytest.mark.parametrize("text", ["", "words", "- a\n- b\n"])
def test_an_info_without_keys(folder, text):
    path = make_set(folder) / "TOY.info"
    path.write_text(text)
    with pytest.raises(PDFSetError, match=r"TOY\.info:1:1: the file must be a list of keys with values, given "):
        find_pdfset("TOY")


def test_sets_that_are_not_unpacked(folder):
    (folder / "TOY.tar.gz").write_bytes(b"")
    with pytest.raises(PDFSetError, match=r"lies packed in .*TOY\.tar\.gz: unpack it there with tar -xf TOY\.tar\.gz"):
        find_pdfset("TOY")
    path = make_set(folder)
    data = path / "TOY_0001.dat"
    data.rename(f"{data}.gz")
    with pytest.raises(PDFSetError, match=r"no member file TOY_0001\.dat in .*; unpack TOY_0001\.dat\.gz first"):
        find_pdfset("TOY").evolution_basis(X[3:5], 1.65)
    (path / "TOY.info").unlink()
    (folder / "TOY.tar.gz").unlink()
    with pytest.raises(PDFSetError, match=r"is not installed: its folder .*TOY has no file TOY\.info"):
        find_pdfset("TOY")


@pytest.mark.parametrize("kind", ["folder", "loop", "gone"])
@pytest.mark.parametrize("name", ["TOY.info", "TOY_0000.dat"])
def test_things_that_are_no_files(folder, kind, name):
    path = make_set(folder) / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    if kind == "loop":
        path.symlink_to(path)
    with pytest.raises(PDFSetError, match=re.escape(name)):
        find_pdfset("TOY").evolution_basis(X[3:5], 1.65)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "\ud800", "NNPDF 40 #?%"])
def test_names_that_no_folder_has(folder, name):
    with pytest.raises(PDFSetError, match="is not installed"):
        find_pdfset(name)


def test_a_set_without_members(folder):
    make_set(folder, members=0)
    found = find_pdfset("TOY")
    assert found.members == 0
    with pytest.raises(PDFSetError, match="no member"):
        found.evolution_basis(X[3:5], 1.65)
