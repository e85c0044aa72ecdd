"""The weights from which replicas start, where a card or an option names some: `load`, `load_weights_from_fit`.

A file or a fit is what its path says, else it lies beside the card; a fit may also be one of n3fit's results.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from hyperparton.errors import Fault, RuncardError, WeightsError, shortened
from hyperparton.interop.weights import read_weights
from hyperparton.pdf.model import ModelParameters, PDFModel
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.yaml_positions import load_document
from hyperparton.trials.scan_folder import ScanFolder

__all__ = ["StartWeights", "file_of_weights", "start_weights", "weights_faults"]

#: where NNPDF's tools keep fits
_N3FIT_FITS = Path(sys.prefix) / "share" / "NNPDF" / "results"


@dataclass(frozen=True)
class StartWeights:
    """The parameters from which replicas start, by the file of each."""

    file: Callable[[int], Path]

    def __call__(self, model: PDFModel, replicas: Sequence[int]) -> ModelParameters:
        """Parameters of `model` (model, ...) for the replicas of these numbers; raises WeightsError."""
        files = [self.file(number) for number in replicas]
        known = {file: read_weights(file, model) for file in dict.fromkeys(files)}
        return jax.tree.map(lambda *parts: np.concatenate(parts), *(known[file] for file in files))


def start_weights(card: Runcard, load: Path | None = None) -> StartWeights | None:
    """What `load`, an option, or the card names; None where the weights are drawn. Raises WeightsError."""
    if load is not None:
        return StartWeights(lambda number: load)
    if card.load is not None:
        path = _found(card, card.load, (), "file of weights")
        return StartWeights(lambda number: path)
    if card.load_weights_from_fit is not None:
        folder, name = _fit(card, card.load_weights_from_fit)
        return StartWeights(lambda number: folder / "nnfit" / f"replica_{number}" / name)
    return None


def file_of_weights(save: str) -> str:
    """The file that n3fit makes of the name in its `save`."""
    return save if save.endswith(".weights.h5") else f"{Path(save).stem}.weights.h5"


def weights_faults(card: Runcard, replicas: Sequence[int]) -> Iterator[Fault]:
    """Files of weights that the card names and that are not there, or are empty."""
    place = ("load",) if card.load is not None else ("load_weights_from_fit",)
    try:
        start = start_weights(card)
    except WeightsError as error:
        yield card.fault(place, str(error))
        return
    files = [] if start is None else list(dict.fromkeys(map(start.file, replicas)))
    missing = [path for path in files if not (path.is_file() and path.stat().st_size)]
    if missing:
        more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        yield card.fault(place, f"no file of weights, or an empty one{more}", str(missing[0]))


def _found(card: Runcard, name: str, others: Sequence[Path], what: str) -> Path:
    folder = None if card.path is None else Path(card.path).resolve().parent
    places = [Path(os.path.expanduser(name)), *(place / name for place in (folder, *others) if place is not None)]
    for place in places:
        if os.path.exists(place):
            return place.resolve()
    looked = ", ".join(str(place) for place in dict.fromkeys(places))
    raise WeightsError(f"there is no {what} {shortened(name)!r}; looked for {looked}")


def _fit(card: Runcard, name: str) -> tuple[Path, str]:
    """The folder of a fit, and the name of its files of weights."""
    folder = _found(card, name, (_N3FIT_FITS,), "fit")
    path = ScanFolder(folder).runcard
    try:
        save = load_document(path).content.get("save")
    except RuncardError as error:
        raise WeightsError(f"the fit {name} has no card that can be read: {error}") from error
    if not isinstance(save, str) or not save:
        raise WeightsError(f"the fit {name} saved no weights: its card {path} has no `save`")
    return folder, file_of_weights(save)
