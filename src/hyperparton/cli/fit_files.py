"""What a fit leaves in its folder, named as n3fit's files are, so that evolven3fit and postfit find them."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.catalogue import PUSH_EACH
from hyperparton.files import write_text
from hyperparton.interop.exportgrid import arc_lengths, export_grid, export_nodes, integrability_numbers
from hyperparton.interop.weights import write_weights
from hyperparton.runcard.card import Runcard
from hyperparton.space.tree import readable
from hyperparton.trials.scan_folder import ScanFolder

if TYPE_CHECKING:
    from hyperparton.fit.mixed import MixedFit
    from hyperparton.fit.result import FitResult

__all__ = ["write_fit"]


def write_fit(
    folder: Path, card: Runcard, result: MixedFit, parameters: dict[int, dict[str, Any]], q0: float, save: str | None
) -> None:
    """`filter.yml` and, for each replica, `nnfit/replica_<n>/`: its numbers, its χ² by epoch, its PDF at `q0` in GeV.

    `parameters` are those of each replica, as they are written; `save` names the file of its weights, if they are asked
    for.
    """
    write_text(ScanFolder(folder).runcard, card.text)
    for part in result.parts:
        _write_part(folder, part, parameters, q0, save)


def _write_part(
    folder: Path, result: FitResult, parameters: dict[int, dict[str, Any]], q0: float, save: str | None
) -> None:
    name, x = folder.resolve().name, export_nodes()
    versions = {package: version(package) for package in ("hyperparton", "jax", "numpy", "nnpdf-data")}
    xf = result.xf(x)
    vetoes = {"arc_lengths": arc_lengths(result.xf), "integrability": integrability_numbers(result.xf)}
    for i, number in enumerate(result.replicas):
        replica = folder / "nnfit" / f"replica_{number}"
        content = {**_numbers(result, i), **{key: value[i] for key, value in vetoes.items()}}
        content |= {"hyperparameters": parameters[number], "version": versions}
        _write_json(replica / f"{name}.json", content)
        _write_json(replica / "chi2exps.log", _chi2_by_epoch(result, i))
        write_text(replica / f"{name}.exportgrid", export_grid(number, q0, x, xf[i]))
        if save is not None:
            # what n3fit makes of the name in its `save`
            file = save if save.endswith(".weights.h5") else f"{Path(save).stem}.weights.h5"
            write_weights(replica / file, result.trained.model, result.trained.parameters, i)


def _numbers(result: FitResult, i: int) -> dict[str, Any]:
    model, exponents = result.trained.model, result.trained.parameters["exponents"]
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
        "stop_epoch": int(result.stop_epoch[i]),
        "best_epoch": int(result.best_epoch[i]),
        "erf_tr": float(result.training_chi2[i]),
        "erf_vl": float(result.validation_chi2[i]),
        "chi2": float(result.experimental_chi2[i]),
        "pos_state": "POS_PASS" if result.passed[i] else "POS_VETO",
    }


def _chi2_by_epoch(result: FitResult, i: int) -> dict[str, Any]:
    """epoch -> training and validation χ² per point, every hundred epochs while the replica was fitted."""
    history = np.asarray(result.trained.history)[:, i]
    stop = int(result.stop_epoch[i])
    return {
        str(epoch): {"training_chi2": training, "validation_chi2": validation}
        for k, (training, validation) in enumerate(history)
        if (epoch := (k + 1) * PUSH_EACH) <= stop
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(readable(content), indent=2, allow_nan=False) + "\n")
