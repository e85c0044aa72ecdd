"""n3fit's files of weights: read with n3fit's numbers as the oracle, written, and refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jax
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

#: as make_weights_reference.py has them: fitbasis, elements, layer type, sum rules, fitted exponents, scaling points
CASES = {
    "dense": ("EVOL", EVOL, "dense", "All", (), None),
    "mixed": ("EVOL", EVOL, "dense", "All", ("g", "v8"), None),
    "per_flavour": ("FLAVOUR", FLAVOUR, "dense_per_flavour", None, (), None),
    "scaled": ("EVOL", EVOL, "dense", "All", EVOL, 5),
}


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(DATA / "weights.npz"))


def model_of(name, nodes=(7, 5, 8), x=None):
    fitbasis, elements, layer_type, sum_rules, fitted, points = CASES[name]
    scaling = None if points is None else feature_scaling([x], points)
    return PDFModel(
        Architecture(nodes, ("tanh", "sigmoid", "linear")[-len(nodes) :], layer_type, 2 if scaling is None else 1),
        fitbasis,
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


def test_every_flipped_bit_of_a_file_of_ours_is_told(reference, tmp_path):
    """Of each tenth byte; a bit that nothing reads changes no weight."""
    model = model_of("dense")
    path = tmp_path / "w.weights.h5"
    write_weights(path, model, model.start("glorot_normal", [3]))
    whole, expected = path.read_bytes(), jax.tree.leaves(read_weights(path, model))
    refused = 0
    for place in range(0, len(whole), 10):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            found = jax.tree.leaves(read_weights(path, model))
        except WeightsError as told:
            assert str(path) in str(told)  # noqa: PT017
            refused += 1
        else:
            assert all((one == other).all() for one, other in zip(found, expected, strict=True))
    assert refused > len(whole) / 40


def test_a_block_of_zeros_in_a_file_of_ours_is_told(reference, tmp_path):
    model = model_of("dense")
    path = tmp_path / "w.weights.h5"
    write_weights(path, model, model.start("glorot_normal", [3]))
    whole = path.read_bytes()
    kernel = np.asarray(read_weights(path, model)["layers"][1]["kernel"][0], np.float32).tobytes()
    place = whole.index(kernel)
    path.write_bytes(whole[:place] + bytes(len(kernel)) + whole[place + len(kernel) :])
    with pytest.raises(WeightsError, match="damaged: its numbers do not fit its sha256"):
        read_weights(path, model)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("ours", [True, False])
def test_files_that_were_cut_off(reference, tmp_path, part, ours):
    model = model_of("dense")
    path = tmp_path / "w.weights.h5"
    write_weights(path, model, model.start("glorot_normal", [3]))
    whole = (path if ours else weights_file("dense")).read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(WeightsError, match="cannot be read as HDF5"):
        read_weights(path, model)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda layer: layer["vars"].__delitem__("0"), "/vars/0 must be an array of numbers"),
        (lambda layer: layer["vars"].move("0", "kernel"), "/vars/0 must be an array of numbers"),
        (lambda layer: layer.__delitem__("vars"), "damaged"),
        (lambda layer: renewed(layer, np.array([b"text"])), "/vars/0 must be an array of numbers"),
        (lambda layer: renewed(layer, np.ones((2, 7), int)), "/vars/0 must be an array of numbers"),
        (lambda layer: renewed(layer, np.full((2, 7), np.nan)), "/vars has weights that are no finite numbers"),
        (lambda layer: renewed(layer, np.ones((2, 8))), "its layers are 2x8, 7x5, 5x8"),
        (lambda layer: renewed(layer, np.float32(1.0)), "its layers are "),
        (lambda layer: renewed(layer, None, shape=(10**9, 10**9)), "no network here has so many"),
        (lambda layer: (layer["vars"].__delitem__("0"), layer["vars"].create_group("0")), "/vars/0 must be an array"),
    ],
)
def test_entries_of_another_kind(reference, tmp_path, change, told):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "w.weights.h5"
    path.write_bytes(weights_file("dense").read_bytes())
    with h5py.File(path, "a") as file:
        change(file["layers/meta_model/layers/meta_model/layers/dense"])
    with pytest.raises(WeightsError, match=f"w.weights.h5: .*{told}"):
        read_weights(path, model_of("dense"))


def renewed(layer, data, shape=None):
    del layer["vars"]["0"]
    if shape is None:
        layer["vars"]["0"] = data
    else:
        layer["vars"].create_dataset("0", shape=shape, dtype="f4", chunks=(1024, 1024))


def test_places_that_are_no_files(reference, tmp_path):
    for path in (tmp_path, "a\0b", "n" * 300):
        with pytest.raises(WeightsError, match="no such file"):
            read_weights(path, model_of("dense"))


def test_a_full_disk_leaves_no_half_a_file():
    model = model_of("dense")
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights("/proc/w.weights.h5", model, model.start("glorot_normal", [3]))


def test_without_h5py_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"hyperparton\[n3fit\]"):
        read_weights("any.h5", model_of("dense"))


def test_the_reference_is_of_these_cases(reference):
    assert reference.keys() == {"x", *CASES}
    assert importlib.util.find_spec("h5py")
