"""Weights of a fit in n3fit's files: those that its key `save` writes and `load` reads, HDF5 as Keras 3 lays it out.

Such a file holds one replica: kernels and biases of the network, and the exponents of the preprocessing, fitted or not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hyperparton.errors import WeightsError
from hyperparton.files import checksum, part_of
from hyperparton.pdf.model import PDFModel

__all__ = ["read_weights", "write_weights"]

Parameters = dict[str, Any]

#: where Keras keeps the network of a single replica, and the exponents
_NETWORK = "layers/meta_model/layers/meta_model/layers"
_EXPONENTS = "layers/preprocessing/vars"
#: attribute of the file: the SHA-256 of its numbers
_CHECKSUM = "sha256"
#: of one array: what is larger comes from damage, and would fill the memory
_LARGEST = 10_000_000


def read_weights(path: str | Path, model: PDFModel, count: int = 1) -> Parameters:
    """The parameters of `model`, each with a leading axis of `count` equal models, from one of n3fit's files.

    Raises WeightsError if the file is not there, is no such file, or is one of another network.
    """
    h5py = _h5py()
    if not os.path.isfile(path):
        raise WeightsError(f"{path}: there is no such file of weights")
    try:
        with h5py.File(path, "r") as file:
            missing = [place for place in (_NETWORK, _EXPONENTS) if not isinstance(file.get(place), h5py.Group)]
            if missing:
                raise WeightsError(f"{path}: no weights of an n3fit replica: it lacks {missing[0]}")
            arrays = _layers(path, file[_NETWORK])
            exponents = _variables(path, file[_EXPONENTS])
            expected = file.attrs.get(_CHECKSUM)  # n3fit's files have none
            if expected is not None and expected != _checksum([*chain(*arrays), *exponents]):
                raise WeightsError(f"{path}: this file of weights is damaged: its numbers do not fit its {_CHECKSUM}")
    except WeightsError:
        raise
    except OSError as fault:
        raise WeightsError(f"{path}: cannot be read as HDF5: {fault}") from fault
    except Exception as fault:  # h5py raises KeyError, RuntimeError, ValueError and others for damaged files
        raise WeightsError(f"{path}: this file of weights is damaged: {' '.join(str(fault).split())}") from fault
    parameters = {"layers": _network(path, model, arrays), "exponents": _exponents(path, model, exponents)}
    return jax.tree.map(lambda value: np.repeat(np.asarray(value, np.float32)[None], count, axis=0), parameters)


def write_weights(path: str | Path, model: PDFModel, parameters: Parameters, index: int = 0) -> None:
    """The weights of model number `index` of `parameters` as a file that n3fit loads; raises WeightsError."""
    h5py = _h5py()
    dense: list[tuple[np.ndarray, np.ndarray]] = []
    for layer in parameters["layers"]:
        kernel, bias = np.asarray(layer["kernel"][index]), np.asarray(layer["bias"][index])
        dense += list(zip(kernel, bias, strict=True)) if model.architecture.per_flavour else [(kernel, bias)]
    try:
        # that version of HDF5 has checksums of all but the numbers
        with part_of(Path(path)) as part, h5py.File(part, "w", libver="v110") as file:
            exponents = [parameters["exponents"][kind][index, element] for kind, element in _order(model)]
            file.attrs[_CHECKSUM] = _checksum([*chain(*dense), *exponents])
            for i, pair in enumerate(dense):
                for j, array in enumerate(pair):
                    file[f"{_NETWORK}/{_name(i)}/vars/{j}"] = np.asarray(array, np.float32)
            for i, value in enumerate(exponents):
                file[f"{_EXPONENTS}/{i}"] = np.asarray(value, np.float32).reshape(1, 1)
    except (OSError, RuntimeError) as fault:  # a RuntimeError is what h5py makes of a full disk when it closes a file
        raise WeightsError(f"{path}: cannot be written: {fault}") from fault


def _h5py() -> Any:
    try:
        import h5py  # pyright: ignore[reportMissingImports]: an extra
    except ImportError as fault:
        raise WeightsError("files of weights need h5py: pip install 'hyperparton[n3fit]'") from fault
    return h5py


def _name(i: int) -> str:
    return "dense" if i == 0 else f"dense_{i}"


def _checksum(arrays: Sequence[np.ndarray]) -> str:
    return checksum(*(np.asarray(array, np.float32).tobytes().hex() for array in arrays))


def _layers(path: str | Path, group: Any) -> list[list[np.ndarray]]:
    """Kernel and bias of each dense layer, in the order of their numbers."""
    layers = {}
    for name, entry in group.items():
        if numbered := re.fullmatch(r"dense(?:_([0-9]{1,9}))?", name):
            layers[int(numbered[1] or 0)] = _variables(path, entry["vars"])
    return [layers[i] for i in sorted(layers)]


def _variables(path: str | Path, group: Any) -> list[np.ndarray]:
    """The arrays 0, 1, 2, ... of a group."""
    arrays = [group.get(str(number)) for number in range(len(group))]
    for place, array in enumerate(arrays):
        where = f"{path}: {group.name}/{place}"
        if getattr(array, "dtype", np.dtype(object)).kind != "f" or getattr(array, "shape", None) is None:
            raise WeightsError(f"{where} must be an array of numbers")
        if array.size > _LARGEST:
            raise WeightsError(f"{where} has {array.size:,} numbers; no network here has so many")
    found = [np.asarray(array) for array in arrays]
    if not all(np.isfinite(array).all() for array in found):
        raise WeightsError(f"{path}: {group.name} has weights that are no finite numbers")
    return found


def _network(path: Any, model: PDFModel, arrays: Sequence[Sequence[np.ndarray]]) -> list[dict[str, np.ndarray]]:
    architecture = model.architecture
    copies = architecture.flavours if architecture.per_flavour else 1
    expected = [shape for shape in architecture.shapes() for _ in range(copies)]
    shapes = [pair[0].shape for pair in arrays]
    if shapes != expected or any(len(pair) != 2 or pair[1].shape != pair[0].shape[1:] for pair in arrays):
        sizes = ", ".join("x".join(map(str, shape)) for shape in shapes)
        wanted = ", ".join("x".join(map(str, shape)) for shape in expected)
        raise WeightsError(f"{path}: its layers are {sizes or 'none'}; `parameters` asks for {wanted}")
    layers = []
    for first in range(0, len(arrays), copies):
        kernels, biases = zip(*arrays[first : first + copies], strict=True)
        if architecture.per_flavour:
            layers.append({"kernel": np.stack(kernels), "bias": np.stack(biases)})
        else:
            layers.append({"kernel": kernels[0], "bias": biases[0]})
    return layers


def _order(model: PDFModel) -> list[tuple[str, int]]:
    """(exponent, element) in the order of the file: Keras puts what is fitted before what is not."""
    preprocessing = model.preprocessing
    listed = []
    for element, trainable in enumerate(preprocessing.trainable):
        listed += [("alpha", element, trainable), ("beta", element, trainable and preprocessing.large_x)]
    return [(kind, element) for kind, element, fitted in sorted(listed, key=lambda entry: not entry[2])]


def _exponents(path: Any, model: PDFModel, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    order = _order(model)
    if len(values) != len(order) or any(value.size != 1 for value in values):
        raise WeightsError(f"{path}: it has {len(values)} exponents; the basis has {len(order)}")
    exponents = {kind: np.zeros(len(model.elements), np.float32) for kind in ("alpha", "beta")}
    for (kind, element), value in zip(order, values, strict=True):
        exponents[kind][element] = np.ravel(value)[0]
    return exponents
