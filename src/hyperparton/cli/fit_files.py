"""What a fit leaves in its folder, named as n3fit's files are, so that evolven3fit and postfit find them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.catalogue import PUSH_EACH
from hyperparton.errors import RuncardError
from hyperparton.files import write_text
from hyperparton.runcard.card import Runcard
from hyperparton.space.tree import readable
from hyperparton.trials.scan_folder import ScanFolder

if TYPE_CHECKING:
    from hyperparton.data.types import FitData
    from hyperparton.fit.mixed import MixedFit
    from hyperparton.fit.result import FitResult

__all__ = ["expect_card", "write_fit"]

#: the file with the MD5 sum of the card, by which n3fit knows that a folder is of this card
_MD5 = "md5"


def expect_card(folder: Path, card: Runcard, replicas: Sequence[int]) -> None:
    """Raises RuncardError where the folder holds other replicas than these, fits of another card."""
    before = ScanFolder(folder).runcard
    others = [path.parent.name for path in folder.glob(f"nnfit/replica_*/{folder.resolve().name}.json")]
    others = sorted(set(others) - {f"replica_{number}" for number in replicas})
    if others and before.is_file() and before.read_bytes() != card.text.encode():
        shown = f"{others[0]}{f' and {len(others) - 1} others' if len(others) > 1 else ''}"
        message = f"{folder} holds {shown}, of another card: {before} differs from this one"
        raise RuncardError(
            [card.fault((), message, accepted="another folder (--output), or one without these replicas")]
        )


def write_fit(
    folder: Path,
    card: Runcard,
    data: FitData,
    result: MixedFit,
    parameters: dict[int, dict[str, Any]] | None,
    timing: dict[str, dict[str, float]],
    save: str | None,
) -> None:
    """`filter.yml`, `md5` and, for each replica, `nnfit/replica_<n>/`: its numbers, its log, its PDF, its data.

    `parameters` are those of each replica as they are written, None where they are the card's; `save` names the file of
    its weights, if they are asked for.
    """
    from hyperparton.interop.pseudodata_tables import pseudodata_tables

    write_text(ScanFolder(folder).runcard, card.text)
    write_text(folder / _MD5, hashlib.md5(card.text.encode(), usedforsecurity=False).hexdigest())
    for part in result.parts:
        _write_part(folder, part, data, parameters, timing, save)
    if card.fitting.savepseudodata:
        for number, tables in pseudodata_tables(card, data, result.replicas).items():
            for name, text in tables.items():
                write_text(_replica(folder, number) / name, text)


def _replica(folder: Path, number: int) -> Path:
    return folder / "nnfit" / f"replica_{number}"


def _write_part(
    folder: Path,
    result: FitResult,
    data: FitData,
    parameters: dict[int, dict[str, Any]] | None,
    timing: dict[str, dict[str, float]],
    save: str | None,
) -> None:
    from hyperparton.interop.exportgrid import arc_lengths, export_grid, export_nodes, integrability_numbers
    from hyperparton.interop.start_weights import file_of_weights
    from hyperparton.interop.weights import write_weights

    name, x, q0 = folder.resolve().name, export_nodes(), data.datasets[0].observable.tables[0].q0
    versions = {package: version(package) for package in ("hyperparton", "jax", "numpy", "nnpdf-data")}
    xf = result.xf(x)
    vetoes = {"arc_lengths": arc_lengths(result.xf), "integrability": integrability_numbers(result.xf)}
    for i, number in enumerate(result.replicas):
        replica = _replica(folder, number)
        content = {**_numbers(result, i), **{key: value[i] for key, value in vetoes.items()}, "timing": timing}
        content["hyperparameters"] = "from runcard" if parameters is None else _flat(parameters[number])
        _write_json(replica / f"{name}.json", {**content, "version": versions})
        _write_json(replica / "chi2exps.log", _log(result, i, data.group))
        write_text(replica / f"{name}.exportgrid", export_grid(number, q0, x, xf[i]))
        if save is not None:
            model, trained = result.trained.model, result.trained.parameters
            write_weights(replica / file_of_weights(save), model, trained, i)


def _numbers(result: FitResult, i: int) -> dict[str, Any]:
    """A replica's numbers: epochs are counted from 0, `stop_epoch` is how many were run, as in n3fit's files."""
    model, exponents = result.trained.model, result.trained.parameters["exponents"]
    best, last = int(result.best_epoch[i]), int(result.stop_epoch[i])
    return {
        "preprocessing": [
            {
                "fl": element,
                "smallx": exponents["alpha"][i, k],
                **({"largex": exponents["beta"][i, k]} if model.preprocessing.large_x else {}),
                "trainable": model.preprocessing.trainable[k],
            }
            for k, element in enumerate(model.elements)
        ],
        "stop_epoch": last + 1,
        "best_epoch": best if best >= 0 else last,
        "erf_tr": float(result.training_chi2[i]),
        "erf_vl": float(result.validation_chi2[i]),
        "chi2": float(result.experimental_chi2[i]),
        "pos_state": "POS_PASS" if result.passed[i] else "POS_VETO",
    }


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The methodology of a replica that has it from a scan, by n3fit's names."""
    optimizer, positivity = (parameters.get(key) or {} for key in ("optimizer", "positivity"))
    nodes = parameters["nodes_per_layer"]
    return {
        "optimizer": optimizer.get("optimizer_name"),
        "learning_rate": optimizer.get("learning_rate"),
        "clipnorm": optimizer.get("clipnorm"),
        "epochs": parameters.get("epochs"),
        "stopping_patience": parameters.get("stopping_patience"),
        "initial": positivity.get("initial"),
        "nodes_per_layer": nodes,
        "number_of_layers": len(nodes) - 1,
        "activation": parameters.get("activation_per_layer"),
        **{key: parameters.get(key) for key in ("layer_type", "initializer", "dropout")},
    }


def _log(result: FitResult, i: int, group: str) -> dict[str, Any]:
    """n3fit's log: after every hundred epochs the training loss, the validation loss, the validation's χ² per point.

    The χ² is that of all data; n3fit has one for each group too, which is the same where there is one group.
    """
    log = np.asarray(result.trained.losses)[:, i]
    run = int(result.stop_epoch[i]) + 1
    entries = {}
    for k, (training, validation, chi2) in enumerate(log.tolist()):
        if (epoch := (k + 1) * PUSH_EACH) <= run:
            by_group = {"total": chi2} if group != "ALL" else {"ALL": chi2, "total": chi2}
            entries[str(epoch)] = {
                "training_loss": training,
                "validation_loss": [validation],
                "validation_chi2s": by_group,
            }
    return entries


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(readable(content), indent=2, allow_nan=False) + "\n")
