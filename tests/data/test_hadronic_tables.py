"""Observables of two protons from table files written with pineappl, against validphys and against plain sums."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton.data.commondata import FKOperands
from hyperparton.data.fktables import load_observable
from hyperparton.data.predictions import predict
from hyperparton.data.theory_folder import TheoryFolder, TheorySource
from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.errors import DataError, TheoryError
from hyperparton.fit.observables import build_convolution, union_grid
from hyperparton.pdf.bases import WORKING_BASIS, working_to_evolution

ORACLE = Path(__file__).parents[1] / "oracle"
script = SimpleNamespace(**runpy.run_path(str(ORACLE / "make_hadronic_reference.py")))
REFERENCE = np.load(ORACLE / "data" / "hadronic_reference.npz")


@pytest.fixture(scope="module")
def theory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theory_1")
    (folder / "fastkernel").mkdir()
    script.write_tables(folder / "fastkernel")
    return TheoryFolder(TheorySource(1, folder, "test"), {})


def operands(operation, operands, conversion_factor=1.0, shifts=None, normalization=None):
    members = tuple(map(tuple, operands))
    return FKOperands(members, operation, conversion_factor, shifts or {}, normalization or {})


@pytest.fixture(scope="module")
def observables(theory):
    made = []
    for operation, entry in script.OBSERVABLES.items():
        settings = {key: value for key, value in entry.items() if key != "kept"}
        made.append(load_observable(operation, operands(operation, **settings), theory, kept=np.array(entry["kept"])))
    return made


def toy_on(grid):
    """(x, working) of the made-up PDF."""
    evolution = script.toy_pdf(grid)
    names = {"sng": "sigma"}
    working = np.stack([evolution[EVOLUTION_BASIS.index(names.get(name, name))] for name in WORKING_BASIS], axis=1)
    np.testing.assert_allclose(working @ working_to_evolution().T, evolution.T)
    return working


@pytest.mark.parametrize("operation", script.OBSERVABLES)
def test_predictions_equal_those_of_validphys(observables, operation):
    observable = next(each for each in observables if each.name == operation)
    assert observable.hadronic
    assert observable.ndata == len(script.OBSERVABLES[operation]["kept"])
    ours = predict(observable, lambda x, q0: script.toy_pdf(x))
    np.testing.assert_allclose(ours, REFERENCE[operation], rtol=1e-12)


def test_the_convolution_of_a_fit_gives_the_same(observables):
    grid = union_grid(observables)
    np.testing.assert_array_equal(grid, script.GRIDS["fine"])
    xf = toy_on(grid)[None]
    expected = np.concatenate([REFERENCE[each.name] for each in observables])
    convolution = build_convolution(observables)
    np.testing.assert_allclose(convolution.predict(xf)[0], expected, rtol=1e-12)
    # compressed features leave what is not linear as it is
    compressed = convolution.compressed(np.diag(expected**2))
    np.testing.assert_allclose((compressed.features(xf) @ compressed.matrix.T)[0], expected, rtol=1e-12)


def test_scale_of_the_tables(observables):
    scales = [table.q0 for each in observables for table in each.tables]
    np.testing.assert_allclose(scales, script.Q0, rtol=1e-12)


def test_one_table_by_a_plain_sum(theory):
    """sum over channels and nodes of table / (x y) / width times x f(x) y f(y)."""
    observable = load_observable("plain", operands("NULL", [["t1"]]), theory)
    x, channels, values, widths = script.tables()["t1"]
    evolution, expected = script.toy_pdf(x), np.zeros(len(values))
    for point, rows in enumerate(values):
        for channel, block in zip(channels, rows, strict=True):
            one, two = (evolution[script.PIDS.index(pid)] for pid in channel)
            for i, j in np.ndindex(block.shape):
                expected[point] += block[i, j] / widths[point] / x[i] / x[j] * one[i] * two[j]
    np.testing.assert_allclose(predict(observable, lambda x, q0: script.toy_pdf(x)), expected, rtol=1e-12)


def test_linear_and_bilinear_tables_are_not_joined(theory):
    x, _, _, widths = script.tables()["t1"]
    values = np.ones((4, 1, len(x)))
    script.write_table(theory.table("dis"), x, ((100,),), values, widths)
    with pytest.raises(TheoryError, match=r"t1\+dis differ in their number of protons"):
        load_observable("mixed", operands("NULL", [["t1", "dis"]]), theory)


def test_an_operation_with_too_few_operands(theory):
    with pytest.raises(DataError, match=r"ASY of 1, accepted: .*ASY of 2"):
        load_observable("short", operands("ASY", [["t0"]]), theory)
