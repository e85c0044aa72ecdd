"""n3fit's files of weights: read with n3fit's numbers as the oracle, written, and refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hyperparton.errors import WeightsError
from hyperparton.interop.weights import read_weights, write_weights
from hyperparton.pdf.feature_scaling import feature_scaling
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing

ORACLE = Path(__file__).parent.parent / "oracle"
DATA = ORACLE / "data"
EVOL = ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")
FLAVOUR = ("u", "ubar", "d", "dbar", "s", "sbar", "c", "g")

#: as make_weights_reference.py has them: elements, layer type, sum rules, which exponents are fitted, scaling points
CASES = {
    "dense": (EVOL, "dense", "All", (), None),
    "mixed": (EVOL, "dense", "All", ("g", "v8"), None),
    "per_flavour": (FLAVOUR, "dense_per_flavour", None, (), None),
    "scaled": (EVOL, "dense", "All", EVOL, 5),
}


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(DATA / "weights.npz"))


def model_of(name, nodes=(7, 5, 8), x=None):
    elements, layer_type, sum_rules, fitted, points = CASES[name]
    scaling = None if points is None else feature_scaling([x], points)
    return PDFModel(
        Architecture(nodes, ("tanh", "sigmoid", "linear")[-len(nodes) :], layer_type, 2 if scaling is None else 1),
        elements,
        Preprocessing(
            tuple((0.6 + 0.02 * i, 0.9 + 0.02 * i) for i in range(8)),
            tuple((1.5 + 0.1 * i, 3.0 + 0.1 * i) for i in range(8)),
            tuple(name in fitted for name in elements),
            scaling is None,
        ),
        sum_rules,
        scaling,
    )


def weights_file(name):
    return DATA / "weights" / f"{name}.weights.h5"


@pytest.mark.parametrize("name", CASES)
def test_n3fits_weights_give_n3fits_pdf(name, reference):
    x = reference["x"]
    model = model_of(name, x=x)
    found = model.evaluate_evolution(read_weights(weights_file(name), model), x)[0]
    expected = reference[name].astype(float)
    # n3fit takes the integrals of the sum rules on 2,000 nodes: the normalisation A_k of a flavour may differ
    factor = (found * expected).sum(axis=0) / (expected**2).sum(axis=0).clip(1e-30)
    scale = np.abs(expected).max(axis=0).clip(1e-10)
    assert (np.abs(found - factor * expected) <= 1e-5 * scale).all()
    assert (np.abs(found - expected) <= 2e-4 * scale).all()


@pytest.mark.parametrize("name", CASES)
def test_what_was_written_is_read_again(name, reference, tmp_path):
    model = model_of(name, x=reference["x"])
    start = model.start("glorot_normal", [3, 4])
    write_weights(tmp_path / "new" / "w.weights.h5", model, start, index=1)
    read = read_weights(tmp_path / "new" / "w.weights.h5", model, count=3)
    for found, expected in zip(read["layers"], start["layers"], strict=True):
        for key in ("kernel", "bias"):
            assert found[key].shape == (3, *expected[key].shape[1:])
            assert (found[key] == expected[key][1]).all()
    for key, value in start["exponents"].items():
        assert (read["exponents"][key] == value[1]).all()


@pytest.mark.parametrize("name", CASES)
def test_the_layout_is_n3fits(name, reference, tmp_path):
    h5py = pytest.importorskip("h5py")
    model = model_of(name, x=reference["x"])
    write_weights(tmp_path / "w.weights.h5", model, read_weights(weights_file(name), model))

    def arrays(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, entry: found.update({name: entry[()]}) if hasattr(entry, "shape") else None)
        return found

    ours, theirs = arrays(tmp_path / "w.weights.h5"), arrays(weights_file(name))
    theirs = {key: value for key, value in theirs.items() if "seed_generator" not in key}
    assert ours.keys() == theirs.keys()
    assert all((ours[key] == theirs[key]).all() and ours[key].dtype == theirs[key].dtype for key in ours)


def test_files_that_do_not_fit_are_refused(reference, tmp_path):
    model = model_of("dense")
    with pytest.raises(WeightsError, match="no such file"):
        read_weights(tmp_path / "none.h5", model)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(WeightsError, match="cannot be read as HDF5"):
        read_weights(tmp_path / "text.h5", model)
    with pytest.raises(WeightsError, match="its layers are 2x7, 7x5, 5x8; `parameters` asks for 2x6, 6x8"):
        read_weights(weights_file("dense"), model_of("dense", nodes=(6, 8)))
    with pytest.raises(WeightsError, match="its layers are"):
        read_weights(weights_file("per_flavour"), model)
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(WeightsError, match="no weights of an n3fit replica"):
        read_weights(tmp_path / "other.h5", model)


def test_without_h5py_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"hyperparton\[n3fit\]"):
        read_weights("any.h5", model_of("dense"))


def test_the_reference_is_of_these_cases(reference):
    assert reference.keys() == {"x", *CASES}
    assert importlib.util.find_spec("h5py")
