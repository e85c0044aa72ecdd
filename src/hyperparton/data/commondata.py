"""Measured data from the `nnpdf-data` package, the only module that imports it.

Metadata (which files, variants, theory tables) goes through nnpdf-data's own parsers.  Its number files are read by
`blockyaml` where they are of the plain kind, a hundred times faster, and by nnpdf-data's YAML reader otherwise.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nnpdf_data import CFACTOR_PATH, THEORY_CARDS_PATH
from nnpdf_data.commondataparser import ObservableMetaData as Metadata
from nnpdf_data.commondataparser import parse_new_metadata, parse_set_metadata
from nnpdf_data.utils import DEFAULT_PATH_VPDATA
from nnpdf_data.utils import quick_yaml_load as read_yaml
from nnpdf_data.validphys_compatibility import legacy_to_new_mapping, new_to_legacy_map

from hyperparton.data.blockyaml import NotSimpleError, read_block, read_table, top_level
from hyperparton.data.types import Uncertainties
from hyperparton.errors import DataError, HyperpartonError, nearest, shortened
from hyperparton.text import counted

__all__ = [
    "CFACTORS",
    "THEORY_CARDS",
    "CommonData",
    "FKOperands",
    "Metadata",
    "check_name",
    "find_metadata",
    "load_commondata",
    "modern_name",
    "operands_of",
    "read_kinematics",
    "read_yaml",
]

CFACTORS: Path = CFACTOR_PATH
"""folder of the C-factors that nnpdf-data ships"""

THEORY_CARDS: Path = THEORY_CARDS_PATH
"""folder of the theory cards that nnpdf-data ships, `<id>.yaml`"""


#: entries of the metadata that an observable has of its own or that are those of its set
_OF_THE_SET = ("experiment", "nnpdf31_process")

#: no measured value is as large, and its square is finite
_LARGEST = 1e150


@dataclass(frozen=True)
class FKOperands:
    """The FK tables of an observable: those of one operand are concatenated, the operation joins the operands."""

    operands: tuple[tuple[str, ...], ...]
    operation: str
    conversion_factor: float
    shifts: Mapping[str, int]
    """table -> points left empty before its first"""
    normalization: Mapping[str, float]
    """table -> factor"""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for operand in self.operands for name in operand)


@dataclass(frozen=True, eq=False)
class CommonData:
    """A data set before cuts."""

    name: str
    variant: str | None
    process: str
    labels: Mapping[str, str]
    """entry of nnpdf-data's metadata by which sets are grouped, such as `experiment` -> its value"""
    legacy_names: tuple[str, ...]
    """the set's older names, the one whose variant is in use first"""
    kinematics: Mapping[str, np.ndarray]
    """variable -> (dat,) values at the middle of the bins"""
    central: np.ndarray
    """(dat,); zero for positivity and integrability sets"""
    uncertainties: Uncertainties
    theory: FKOperands

    @property
    def ndata(self) -> int:
        return len(self.central)


def find_metadata(name: str, variant: str | Sequence[str] | None = None, *, with_data: bool = True) -> Metadata:
    """nnpdf-data's metadata of data set `name` with its variant(s) applied.

    Without `with_data` the metadata may be of a set that has central values in its variants only: its kinematics and
    FK tables need none.  Raises `DataError` for a set or variant that nnpdf-data does not have, with the nearest
    that it has.
    """
    path = _metadata_file(name)
    if not _is_there(name):
        raise DataError(f"unknown data set {shortened(name)!r}{_hint(name)}")
    folder, _, observable = name.rpartition("_")
    with _readable(name, "metadata", path):
        known = parse_set_metadata(path).allowed_observables
    if observable.upper() not in known:
        accepted = ", ".join(f"{folder}_{each.observable_name}" for each in known.values())
        raise DataError(f"unknown data set {name!r}{_hint(name)}, {folder} has: {accepted}")
    with _readable(name, "metadata", path):
        metadata = _with_variant(path, observable, name, variant, with_data)
    if metadata.name != name:  # folds and rules name it letter by letter
        raise DataError(f"unknown data set {name!r} (did you mean {metadata.name!r}?)")
    return metadata


def modern_name(name: str, systematics: str | None = None) -> tuple[str, str | None]:
    """The name of a data set that has `name` as an older one, and its variant; the name itself and None for others.

    nnpdf-data's map says both; `systematics` is what older cards give as `sys`.  Raises `DataError` for systematics
    that the map makes no variant of.
    """
    if name not in legacy_to_new_mapping:
        return name, None
    found = legacy_to_new_mapping[name]
    variant = found.get("variant")
    if systematics is not None:
        if variant is None:
            raise DataError(
                f"{name} is an older name of {found['dataset']}, which has no variants for sys {systematics}"
            )
        variant = f"{variant}_{systematics}"
    return found["dataset"], variant


def check_name(name: str) -> None:
    """Raises `DataError` for a name that is neither that of a data set nor an older one, with the nearest that is."""
    if name in legacy_to_new_mapping:
        return
    known: Mapping[str, Any] = {}
    if _is_there(name):
        with _readable(name, "metadata", _metadata_file(name)):
            known = parse_set_metadata(_metadata_file(name)).allowed_observables
    if name.rpartition("_")[2].upper() not in known:
        raise DataError(f"unknown data set {shortened(name)!r}{_hint(name)}")


def _metadata_file(name: str) -> Path:
    return DEFAULT_PATH_VPDATA / name.rpartition("_")[0] / "metadata.yaml"


def _is_there(name: str) -> bool:
    """Whether nnpdf-data has a folder for the set of that name."""
    return (
        re.fullmatch(r"[\w.+-]{1,200}", name, re.ASCII) is not None
        and "_" in name
        and os.path.isfile(_metadata_file(name))
    )


def _with_variant(
    path: Path, observable: str, name: str, variant: str | Sequence[str] | None, with_data: bool
) -> Metadata:
    wanted = () if variant is None else (variant,) if isinstance(variant, str) else tuple(variant)
    variants = parse_new_metadata(path, observable).variants or {}
    for each in wanted:
        if each not in variants:
            accepted = ", ".join(variants) or "none"
            raise DataError(f"data set {name} has no variant {each!r}{nearest(each, variants)}, it has: {accepted}")
    metadata = parse_new_metadata(path, observable, variant=wanted if wanted else None)
    measured = metadata.data_central is not None and metadata.data_uncertainties
    if with_data and not (measured or metadata.is_nnpdf_special):
        raise DataError(f"data set {name} needs a variant, it has: {', '.join(variants) or 'none'}")
    if metadata.theory is None:
        raise DataError(f"data set {name} names no FK tables in nnpdf-data, so nothing can be compared with it")
    return metadata


def _hint(name: str) -> str:
    """What the unknown set may be: an older name of a set, or a name close to one."""
    if name in legacy_to_new_mapping:
        new = legacy_to_new_mapping[name]
        variant = f", variant: {new['variant']}" if new.get("variant") else ""
        return f", an older name of {{dataset: {new['dataset']}{variant}}}"
    known = {entry["dataset"] for entry in legacy_to_new_mapping.values()}
    folders = {path.parent.name for path in DEFAULT_PATH_VPDATA.glob("*/metadata.yaml")}
    return nearest(name, known) or nearest(name.rpartition("_")[0] or name, folders)


def load_commondata(metadata: Metadata) -> CommonData:
    """Data, uncertainties and kinematics of all points.

    Raises `DataError` if the files contradict one another.
    """
    special = metadata.is_nnpdf_special
    central = np.zeros(metadata.ndata) if special else _central(metadata)
    with _readable(metadata.name, "metadata", _metadata_file(metadata.name)):
        covered = [name for name in metadata.kinematic_coverage if not name.startswith("extra_")]
        labels = {key: getattr(metadata.plotting, key) or metadata.nnpdf_metadata[key] for key in _OF_THE_SET}
        labels |= {"process_type": metadata.process_type, "dataset_label": metadata.plotting.dataset_label}
        names = tuple(new_to_legacy_map(metadata.name, metadata.applied_variant) or ())
    return CommonData(
        name=metadata.name,
        variant=metadata.applied_variant,
        process=str(metadata.process_type),
        labels={key: str(value) for key, value in labels.items()},
        legacy_names=names,
        kinematics=_kinematics(metadata, covered),
        central=central,
        uncertainties=_uncertainties([] if special else metadata.paths_uncertainties, central, metadata),
        theory=operands_of(metadata),
    )


@contextlib.contextmanager
def _readable(name: str, what: str, path: Path) -> Iterator[None]:
    """Turns whatever parsers raise for a damaged file of a data set into a `DataError` that names it and its line."""
    try:
        yield
    except HyperpartonError:
        raise
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        if mark is not None:
            reason = f"line {mark.line + 1}: {getattr(error, 'problem', None)}"
        elif isinstance(error, OSError):
            reason = str(error.strerror)
        else:
            reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"data set {name}: the {what} {path} cannot be read: {' '.join(reason.split())[:300]}"
        ) from error


def _numbers(values: Any) -> np.ndarray:
    """An array of finite numbers; raises ValueError for anything else."""
    array = np.array(values)
    if array.dtype.kind in "iuf" and (np.abs(array) < _LARGEST).all():
        return array.astype(float)
    entries = np.array(values, dtype=object).ravel()
    wrong = next(each for each in entries if type(each) not in (int, float) or not abs(each) < _LARGEST)
    raise ValueError(f"{str(wrong)[:40]!r} is no number below {_LARGEST:g}")


def _central(metadata: Metadata) -> np.ndarray:
    path = metadata.path_data_central
    with _readable(metadata.name, "central values", path):
        central = _numbers(_sections(path)["data_central"])
        _expect((metadata.ndata,), central.shape, metadata, "central values")
        return central


def operands_of(metadata: Metadata) -> FKOperands:
    """The FK tables that predict the set."""
    theory = metadata.theory
    assert theory is not None, "`find_metadata` refuses a set without"
    factors = (theory.conversion_factor, *(theory.normalization or {}).values())
    if not all(abs(factor) < _LARGEST for factor in factors):
        raise DataError(f"data set {metadata.name}: a factor of its FK tables in the metadata is no finite number")
    return FKOperands(
        operands=tuple(tuple(operand) for operand in theory.FK_tables),
        operation=theory.operation if theory.operation != "NONE" else "NULL",
        conversion_factor=theory.conversion_factor,
        shifts=dict(theory.shifts or {}),
        normalization=dict(theory.normalization or {}),
    )


def _expect(expected: tuple[int, ...], received: tuple[int, ...], metadata: Metadata, what: str) -> None:
    if expected != received:
        given = "x".join(map(str, received)) or "no list of"
        raise DataError(
            f"data set {metadata.name} has {counted(expected[0], 'point')} by its metadata but {given} {what}"
        )


def _sections(path: Path) -> dict[str, Any]:
    """A whole file of few numbers."""
    text = path.read_text(encoding="utf-8")
    try:
        return {key: read_block(lines) for key, lines in top_level(text).items()}
    except NotSimpleError:
        return read_yaml(path)


def read_kinematics(metadata: Metadata) -> dict[str, np.ndarray]:
    """Every variable of the set's kinematics file, those outside its kinematic coverage too: (dat,) bin middles.

    Raises `DataError` if the set has no kinematics, or a file that cannot be read or has not one bin for each point.
    """
    path = metadata.path_kinematics
    if path is None or not path.is_file():
        raise DataError(f"data set {metadata.name} has no kinematics: {path} is not there")
    return _kinematics(metadata)


def _kinematics(metadata: Metadata, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """(dat,) the middle of each variable's bins in the set's kinematics file, of all variables without `names`."""
    path = metadata.path_kinematics
    with _readable(metadata.name, "kinematics", path):
        bins = _sections(path)["bins"]
        _expect((metadata.ndata,), (len(bins),), metadata, "bins of kinematics")
        wanted = bins[0] if names is None else names
        return {name: _numbers([_middle(point[name]) for point in bins]) for name in wanted}


def _middle(interval: Mapping[str, float | None]) -> float:
    middle = interval["mid"]
    return 0.5 * (interval["max"] + interval["min"]) if middle is None else middle  # type: ignore[operator]


def _uncertainties(paths: Sequence[Path], central: np.ndarray, metadata: Metadata) -> Uncertainties:
    """All uncertainties of all the set's files, absolute ones and (turned to per cent) multiplicative ones."""
    stat = np.zeros(len(central))
    columns: dict[str, list[np.ndarray]] = {"ADD": [], "MULT": []}
    types: dict[str, list[str]] = {"ADD": [], "MULT": []}
    for path in paths:
        with _readable(metadata.name, "uncertainties", path):
            definitions, values = _uncertainty_file(path)
            expected = (len(central), len(definitions))
            _expect(expected[:1], values.shape[:1], metadata, f"bins in {path.name}")
            if values.shape != expected:
                raise DataError(f"{path.name} of {metadata.name} defines {expected[1]} uncertainties but has others")
        # nnpdf-data takes the columns in the order of the definitions, whatever they are called in the bins
        for (name, (treatment, kind)), column in zip(definitions.items(), values.T, strict=True):
            if name.lower() == "stat":
                stat = column
            elif kind != "SKIP":
                columns[treatment].append(column)
                types[treatment].append(kind)
    additive, multiplicative = (np.reshape(columns[each], (-1, len(central))).T for each in ("ADD", "MULT"))
    return Uncertainties(
        stat=np.array(stat),
        additive=additive,
        additive_types=tuple(types["ADD"]),
        multiplicative=multiplicative * (100 / central)[:, None] if columns["MULT"] else multiplicative,
        multiplicative_types=tuple(types["MULT"]),
    )


def _uncertainty_file(path: Path) -> tuple[dict[str, tuple[str, str]], np.ndarray]:
    """Treatment and type of each uncertainty by its name, and their values (dat, unc)."""
    try:
        sections = top_level(path.read_text(encoding="utf-8"))
        definitions: Any = read_block(sections["definitions"])
        _, values = read_table(sections["bins"])
    except (NotSimpleError, KeyError):
        contents = read_yaml(path)
        definitions = contents["definitions"]
        values = [list(point.values()) for point in contents["bins"]]
    return {name: _treatment(name, entry) for name, entry in definitions.items()}, _numbers(values)


def _treatment(name: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    treatment, kind = entry["treatment"], entry["type"]
    if treatment not in {"ADD", "MULT"} or not isinstance(kind, str):
        raise ValueError(f"the uncertainty {name} is {treatment} of type {kind}; a treatment is ADD or MULT")
    return treatment, kind
