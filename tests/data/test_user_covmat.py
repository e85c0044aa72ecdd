"""A covariance matrix of theory from a file: what is read of it, and what is wrong with one."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data.load import examine_fit_data, load_fit_data
from hyperparton.errors import DataError
from hyperparton.runcard.check import parse_runcard, read_runcard

CARD = runpy.run_path(str(Path(__file__).parent / "test_load.py"))["CARD"]
SLAC, HERA = "SLAC_NC_NOTFIXED_P_EM-F2", "HERA_CC_318GEV_EM-SIGMARED"
SETS = [*CARD["dataset_inputs"], {"dataset": HERA, "variant": "legacy"}]
COUNTS = {SLAC: 211, HERA: 42}


def table(path, points, matrix, separator="\t", columns=None):
    """As pandas writes it: three lines of names, a line with the names of the index, then the rows."""
    columns = points if columns is None else columns
    lines = [
        [name, "", "", *(point[level] for point in columns)] for level, name in enumerate(("group", "dataset", "id"))
    ]
    lines.append(["group", "dataset", "id", *[""] * len(columns)])
    lines += [[*point, *map(repr, map(float, row))] for point, row in zip(points, matrix, strict=True)]
    path.write_text("".join(separator.join(map(str, line)) + "\n" for line in lines), encoding="utf-8")
    return path


def points_of(*names):
    return [("DIS NC", name, number) for name in names for number in range(COUNTS[name])]


def covmat(count, seed=1):
    root = np.random.default_rng(seed).normal(size=(count, 2))
    return root @ root.T


@pytest.fixture
def load(tmp_path):
    """Loads the card with a file; the keys of theorycovmatconfig beside its path are given."""

    def run(path="covmat.csv", **keys):
        content = {**CARD, "dataset_inputs": SETS, "theorycovmatconfig": {"user_covmat_path": str(path), **keys}}
        (tmp_path / "card.yml").write_text(json.dumps(content), encoding="utf-8")
        return load_fit_data(read_runcard(tmp_path / "card.yml"))

    return run


@pytest.fixture(scope="module")
def plain():
    return load_fit_data(parse_runcard(json.dumps({**CARD, "dataset_inputs": SETS})))


@pytest.mark.parametrize("separator", ["\t", ","])
def test_rows_are_those_of_the_fitted_points(load, plain, tmp_path, separator):
    """By data set and number before cuts, in whatever order the file has them; data sets that it lacks have zeros."""
    points = points_of(SLAC)
    order = np.random.default_rng(3).permutation(len(points))
    matrix = covmat(len(points))
    table(tmp_path / "covmat.csv", [points[i] for i in order], matrix[np.ix_(order, order)], separator)
    kept = plain.datasets[0].kept
    expected = np.zeros_like(plain.covmat)
    expected[: len(kept), : len(kept)] = 3.5 * matrix[np.ix_(kept, kept)]
    assert 0 < len(kept) < len(points)
    data = load(mult_factor=3.5)
    np.testing.assert_allclose(data.covmat - plain.covmat, expected, rtol=1e-9, atol=1e-12)
    assert data.sampling_covmat is data.covmat
    np.testing.assert_array_equal(data.experimental_covmat, plain.experimental_covmat)


def test_where_it_counts(load, plain, tmp_path):
    table(tmp_path / "covmat.csv", points_of(SLAC, HERA), covmat(253))
    fit, both, drawn = (
        load(**keys) for keys in ({"use_thcovmat_in_sampling": False}, {}, {"use_thcovmat_in_fitting": False})
    )
    np.testing.assert_array_equal(fit.covmat, both.covmat)
    np.testing.assert_array_equal(fit.sampling_covmat, plain.covmat)
    np.testing.assert_array_equal(drawn.covmat, plain.covmat)
    np.testing.assert_array_equal(drawn.sampling_covmat, both.covmat)


def test_all_data_are_one_group(tmp_path):
    table(tmp_path / "covmat.csv", points_of(SLAC, HERA), covmat(253))
    for keys, group in (
        ({}, "ALL"),
        ({"use_thcovmat_in_fitting": False, "use_thcovmat_in_sampling": False}, "experiment"),
    ):
        config = {"user_covmat_path": str(tmp_path / "covmat.csv"), **keys}
        card = parse_runcard(
            json.dumps({**CARD, "dataset_inputs": SETS, "diagonal_basis": False, "theorycovmatconfig": config})
        )
        assert load_fit_data(card).group == group


def test_sets_that_the_file_lacks_are_said(tmp_path):
    def idle(sets):
        table(tmp_path / "covmat.csv", points_of(SLAC), covmat(211))
        config = {"user_covmat_path": str(tmp_path / "covmat.csv")}
        card = parse_runcard(json.dumps({**CARD, "dataset_inputs": sets, "theorycovmatconfig": config}))
        return [str(fault) for fault in examine_fit_data(card)[1].idle]

    assert idle(SETS[:1]) == []
    assert f"theorycovmatconfig.user_covmat_path: is zero for data sets that it does not have: {HERA}" in idle(SETS)[0]
    assert "changes nothing: the file has no data set of this card" in idle(SETS[1:])[0]


def missing(path):
    path.unlink()


def text(content):
    return lambda path: path.write_text(content, encoding="utf-8")


def changed(old, new):
    return lambda path: path.write_text(re.sub(old, new, path.read_text(encoding="utf-8"), count=1), encoding="utf-8")


def columns(path):
    points = points_of(SLAC, HERA)
    table(path, points, covmat(253), columns=points[::-1])


def lopsided(path):
    matrix = covmat(253)
    matrix[3, 7] += 1.0
    table(path, points_of(SLAC, HERA), matrix)


def fewer(path):
    table(path, points_of(SLAC, HERA)[:-1], covmat(252))


def twice(path):
    points = points_of(SLAC, HERA)
    points[1] = points[0]
    table(path, points, covmat(253))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (missing, "covmat.csv is not there; searched: .*covmat.csv"),
        (text(""), "is no table of a covariance matrix: it has no rows below its 3 lines of names"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "cannot be read as text"),
        (changed("(NC\tHERA_CC_318GEV_EM-SIGMARED)\t5\t", r"\1\tfive\t"), "given 'five'"),
        (changed("(SIGMARED\t7\t)[^\t]+\t", r"\1nan\t"), "the matrix has entries that are no finite numbers"),
        (changed("(SIGMARED\t7\t)[^\t]+\t", r"\1x\t"), "could not convert string to float: 'x'"),
        (changed("(SIGMARED\t7\t)[^\t]+\t", r"\1"), "the matrix is not square: 253 rows of 252 to 253 numbers"),
        (lopsided, "the matrix is not symmetric"),
        (columns, "the columns are not those of the rows"),
        (fewer, f"has no rows for 1 point of {HERA} that are fitted, such as that with id 41; ids number"),
        (twice, f"has point 0 of {SLAC} twice"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(load, tmp_path, damage, told):
    damage(table(tmp_path / "covmat.csv", points_of(SLAC, HERA), covmat(253)))
    with pytest.raises(DataError, match=f"theorycovmatconfig.user_covmat_path: .*{told}"):
        load()


def test_a_path_from_the_current_folder(load, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    table(tmp_path / "elsewhere" / "mine.csv", points_of(SLAC, HERA), covmat(253))
    with pytest.raises(DataError, match=r"searched: .*mine.csv, .*mine.csv"):
        load("mine.csv")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load("mine.csv").ndata == load(Path("elsewhere") / "mine.csv").ndata
