"""`scan_runcard`: from a runcard to a scan in a folder. `hyperparton scan` is this function with options."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperparton import host
from hyperparton.runcard.card import N3FIT, Runcard, TrainerRuncard
from hyperparton.scan.events import Progress
from hyperparton.scan.run import run_scan
from hyperparton.scan.settings import Execution, ScanSettings
from hyperparton.space.tree import readable
from hyperparton.text import counted
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.workflow.begun import keeps_what_it_asks_for
from hyperparton.workflow.cards import check_card, data_summary, notices, output_folder
from hyperparton.workflow.recipe import TrainerRequest

if TYPE_CHECKING:  # a trainer of the user's own needs no data of PDF fits
    from hyperparton.data.types import FitData

__all__ = ["identity_of", "scan_runcard"]

#: keys of a card that change neither space nor fits
_NOT_PHYSICS = frozenset({"description", "meta", "hyperscan_config", "save", "maxcores"})

#: packages whose versions are kept with a scan
_PACKAGES = ("hyperparton", "jax", "numpy", "nnpdf-data", "pineappl", "hyperopt", "optuna")


def scan_runcard(
    runcard: str | Path | Runcard | TrainerRuncard,
    output: str | Path | None = None,
    trials: int = 1,
    replicas: int = 1,
    *,
    settings: ScanSettings | None = None,
    execution: Execution | None = None,
    progress: Progress | None = None,
    theory: str | Path | None = None,
    t0pdfset: str | None = None,
    trainer: str | None = None,
    like_n3fit: bool = False,
) -> dict[str, Any]:
    """Run the scan that a runcard describes up to `trials` trials in total; return the best trial's full parameters.

    `runcard` is a path, or a card that was read. `output` is the scan's folder, by default the card's stem in the
    current one; a scan that is there is continued. The trials run in a process beside this one, or as `execution` says.
    `replicas` are fitted at once in each fold. `theory` is a folder of FK tables and `t0pdfset` the PDF set of the t0
    covariance matrix, in the place of the card's; `trainer="n3fit"` takes n3fit's fits, `like_n3fit` n3fit's own space.
    A scan is continued with the same card, replicas and data only; they are kept beside `settings.metadata`. The
    walltime counts from this call.

    `progress` is called with the events of `run_scan`; fits of PDFs report `epoch`, `epochs`, `running`, how many
    models still run, and `validation`, their mean validation χ² per point. Before them come
    `{"event": "note", text}`, lines for the reader.

    Raises RuncardError with all faults of the card, DataError, TheoryError or PDFSetError for data that cannot be read,
    and what `run_scan` raises.
    """
    begun = time.monotonic()
    settings, execution = settings or ScanSettings(), execution or Execution()
    report = progress or (lambda event: None)
    own = {"trainer": trainer, "theory": theory, "t0pdfset": t0pdfset, "like_n3fit": like_n3fit}
    checked = check_card(runcard, "scan", replicas=replicas, **own)
    card, scanner = checked.card, checked.scanner
    assert scanner is not None
    for line in notices(checked):
        report({"event": "note", "text": line})
    output = output_folder(card, None if output is None else Path(output))
    request = TrainerRequest(card, replicas, output, None if theory is None else Path(theory), t0pdfset, like_n3fit)
    identity = identity_of(request, checked.data, report)
    settings = replace(settings, metadata={**identity, "notes": _notes(card, checked.data), **settings.metadata})
    folder = ScanFolder(output)
    listen = keeps_what_it_asks_for(folder, trials, scanner, settings, execution, report, card.text)
    with host.at_most(card.maxcores if isinstance(card, Runcard) else None):
        return run_scan(
            folder.replica,
            request.recipe(),
            scanner,
            trials,
            settings=settings,
            execution=replace(execution, limits=execution.limits.after(time.monotonic() - begun)),
            progress=listen,
        )


def identity_of(request: TrainerRequest, data: FitData | None, report: Progress) -> dict[str, Any]:
    """What identifies the scan beside its space and settings; `report` is told of the data."""
    card, identity = request.card, _content(request.card)
    if isinstance(card, Runcard):
        from hyperparton.data.theory_folder import tables_digest

        assert card.kfold is not None
        assert data is not None
        folds = counted(len(card.kfold.partitions), "fold")
        folds += f" x {counted(request.replicas, 'replica')} per trial"
        for line in (*data_summary(data), folds):
            report({"event": "note", "text": line})
        identity |= _weights(card, request.replicas)
        identity |= {"replicas": request.replicas, "t0pdfset": data.t0pdfset, "FK tables": tables_digest(data)}
    elif card.trainer == N3FIT:
        identity |= {"runcard: trainer": N3FIT, "replicas": request.replicas}
    return identity


def _weights(card: Runcard, replicas: int) -> dict[str, Any]:
    """The files of weights that the fits begin with, by what is in them."""
    from hyperparton.files import checksum
    from hyperparton.interop.start_weights import start_weights

    start = start_weights(card)
    files = [] if start is None else list(dict.fromkeys(map(start.file, range(1, replicas + 1))))
    return {"weights": checksum(*files)} if files else {}


def _content(card: Runcard | TrainerRuncard) -> dict[str, Any]:
    """What of the card must be the same when a scan is continued; the search space is compared by itself."""
    left_out = _NOT_PHYSICS | set(card.unused) | (card.untreated() if isinstance(card, Runcard) else set())
    return {f"runcard: {key}": readable(value) for key, value in card.raw.items() if key not in left_out}


def _notes(card: Runcard | TrainerRuncard, data: FitData | None) -> dict[str, Any]:
    """What is kept beside that: the card's text, the number of data points after cuts, the versions of packages."""
    more = ("nnpdf",) if isinstance(card, TrainerRuncard) and card.trainer == N3FIT else ()
    points = {} if data is None else {"points": int(data.ndata)}
    return {"runcard": card.text, **points, "versions": {name: version(name) for name in (*_PACKAGES, *more)}}
