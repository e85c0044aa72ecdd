"""What scans, fits and checks share: reading a card with everything that can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hyperparton.errors import Fault, RuncardError, ScanError, SpaceError, StoreError, shortened
from hyperparton.runcard.card import N3FIT, Runcard, TrainerRuncard
from hyperparton.runcard.check import examine, in_order, parse_runcard
from hyperparton.runcard.dead_keys import dead_keys
from hyperparton.runcard.faults import validated
from hyperparton.runcard.foreign_keys import REASONS
from hyperparton.runcard.hyperscan_config import HyperscanConfig
from hyperparton.runcard.old_cards import older_words
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.yaml_positions import load_document
from hyperparton.text import counted

if TYPE_CHECKING:  # a card with a trainer of its own needs no data of PDF fits
    from hyperparton.data.types import FitData
    from hyperparton.scan.scanner import HyperScanner
    from hyperparton.workflow.methodologies import Methodologies

__all__ = ["CheckedCard", "Use", "check_card", "data_summary", "notices", "output_folder", "scanner_of"]

#: what a card is examined for; None for all that it describes, a scan if it has hyperscan_config
Use = Literal["scan", "fit"]


@dataclass(frozen=True)
class CheckedCard:
    """A card without faults, with what was read to find none."""

    card: Runcard | TrainerRuncard
    scanner: HyperScanner | None
    """the search space, if the card describes one"""
    data: FitData | None
    """the data of PDF fits; None for a card with a trainer of its own, and where no inputs were looked at"""
    methodologies: Methodologies | None
    """of each replica of a fit"""
    notes: tuple[Fault, ...]
    """keys that change nothing, and what is said in words of older cards, each with its place"""


def check_card(
    runcard: str | Path | Runcard | TrainerRuncard,
    use: Use | None = None,
    *,
    trainer: str | None = None,
    replicas: int = 1,
    numbers: Sequence[int] | None = None,
    theory: str | Path | None = None,
    t0pdfset: str | None = None,
    source: Path | None = None,
    top: int | None = None,
    load: bool = False,
    like_n3fit: bool = False,
    inputs: bool = True,
) -> CheckedCard:
    """The card with all that a scan or a fit of so many replicas would read before it begins.

    The replicas are 1 to `replicas`, or for a fit those of `numbers`.

    `runcard` is a path, or a card that was read. `trainer`, if given, takes the place of the card's own; `theory` and
    `t0pdfset` are what the options of that name give, `source` and `top` the scan from which a fit takes its
    methodologies; `load` says that an option names the weights to start from, `like_n3fit`
    that a scan is to have n3fit's own space.

    Without `inputs` the card alone is examined: no theory, no data, no PDF set, no other scan.

    Raises RuncardError with every fault at once; DataError, TheoryError or PDFSetError if all are of the inputs and of
    one kind; StoreError for a `source` that cannot be read.
    """
    card, faults = _read(runcard, trainer)
    if card is None:
        raise RuncardError(faults)
    if isinstance(card, TrainerRuncard):
        asked = replicas != 1, theory is not None or t0pdfset is not None
        return _with_trainer(card, faults, use, *asked, inputs, like_n3fit)
    from hyperparton.data.load import examine_fit_data, examine_names
    from hyperparton.interop.start_weights import weights_faults
    from hyperparton.workflow.basis_faults import basis_faults

    data, found = examine_fit_data(card, theory, t0pdfset) if inputs else (None, examine_names(card))
    numbers = range(1, replicas + 1) if numbers is None else numbers
    scan = use == "scan" or (use is None and card.hyperscan_config is not None)
    scanner, chosen = None, None
    if scan:
        scanner = _scanner(card, faults, inputs, like_n3fit)
        faults += _scan_faults(card, scanner, data, replicas)
        if use is None and inputs:  # a scan sees, unless it was begun and has kept their trials
            faults += _earlier_faults(card, scanner)
    elif not faults and (inputs or card.trial_specs is None):
        chosen = _chosen(card, faults, numbers, source, top)
    faults += _fit_faults(card, data, chosen, numbers, scan)
    faults += basis_faults(card, data)
    if inputs and not load:
        faults += weights_faults(card, numbers)
    if faults:
        raise RuncardError(in_order([*faults, *found.faults]))
    found.raise_all()
    notes = in_order([*card.notes, *older_words(card), *dead_keys(card), *found.idle])
    return CheckedCard(card, scanner, data, chosen, tuple(notes))


def _read(
    runcard: str | Path | Runcard | TrainerRuncard, trainer: str | None
) -> tuple[Runcard | TrainerRuncard | None, list[Fault]]:
    if isinstance(runcard, str | Path):
        return examine(runcard, trainer)
    return (runcard if trainer is None else parse_runcard(runcard.text, runcard.path, trainer)), []


def _with_trainer(
    card: TrainerRuncard,
    faults: list[Fault],
    use: Use | None,
    replicas: bool,
    data: bool,
    inputs: bool,
    like_n3fit: bool,
) -> CheckedCard:
    """The check of a card with a trainer of its own; `replicas` and `data` say whether options for them were given."""
    if use == "fit":
        faults.append(card.fault(("trainer",), "`fit` fits PDFs: a card with a trainer of its own can be scanned"))
    if data:
        message = (
            "--theory and --t0pdfset are for hyperparton's own fits; n3fit finds theories by its profile "
            "(NNPDF_PROFILE_PATH) and the t0 set in the card"
        )
        faults.append(card.fault(("trainer",), message))
    if replicas and card.trainer != N3FIT:
        faults.append(card.fault(("trainer",), "--replicas is for fits of PDFs, not for a trainer of one's own"))
    scanner = _scanner(card, faults, inputs, like_n3fit)
    if use is None and inputs and not faults:  # a scan makes the trainer and sees
        from hyperparton.workflow.feasible import factory_faults

        faults += factory_faults(card)
        faults += _earlier_faults(card, scanner)
    if faults:
        raise RuncardError(in_order(faults))
    return CheckedCard(card, scanner, None, None, ())


def _scanner(
    card: Runcard | TrainerRuncard, faults: list[Fault], inputs: bool, like_n3fit: bool
) -> HyperScanner | None:
    """The search space, or a fault more; none is built of a card that has some already."""
    if card.hyperscan_config is None:
        if isinstance(card, Runcard):
            faults.append(card.fault((), "a scan needs hyperscan_config"))
        return None
    config = card.hyperscan_config
    if faults or not (inputs or config.scanned):
        return None
    try:
        scanner = scanner_of(card, like_n3fit)
        if not scanner.hyper_keys:
            message = "holds single values only: there is nothing to scan"
            faults.append(card.fault(("hyperscan_config",), message))
    except (SpaceError, StoreError, ScanError) as error:
        faults.append(card.fault(("hyperscan_config",), str(error)))
        return None
    return scanner


def _scan_faults(card: Runcard, scanner: HyperScanner | None, data: FitData | None, replicas: int) -> Iterator[Fault]:
    from hyperparton.workflow.feasible import loss_faults, space_faults

    yield from loss_faults(card, replicas)
    if scanner is not None:
        yield from space_faults(card, scanner, data)


def _earlier_faults(card: Runcard | TrainerRuncard, scanner: HyperScanner | None) -> Iterator[Fault]:
    """Earlier scans from which a new one of this card could not learn."""
    from hyperparton.scan.warm_start import read_prior

    if scanner is None or not scanner.use_tries_from:
        return
    try:
        read_prior(scanner.use_tries_from, scanner.as_dict())
    except (StoreError, ScanError) as error:
        yield card.fault(("hyperscan_config", "use_tries_from"), " ".join(str(error).splitlines()))


def _chosen(
    card: Runcard, faults: list[Fault], numbers: Sequence[int], source: Path | None, top: int | None
) -> Methodologies | None:
    """The methodologies of a fit, or a fault more where the scan that the card names cannot give them."""
    from hyperparton.workflow.methodologies import methodologies

    try:
        return methodologies(card, numbers, source, top)
    except RuncardError as error:
        faults += error.faults
    except (StoreError, ScanError) as error:
        if source is not None:
            raise
        faults.append(card.fault(("trial_specs",), str(error)))
    return None


def _fit_faults(
    card: Runcard, data: FitData | None, chosen: Methodologies | None, replicas: Sequence[int], scan: bool
) -> Iterator[Fault]:
    from hyperparton.workflow.feasible import data_faults, methodology_faults

    if data is not None:
        yield from data_faults(card, data, replicas, scan)
    wanted = [card.parameters] if chosen is None else list(chosen.parameters.values())
    distinct = {id(each): each for each in wanted if isinstance(each, Parameters)}
    for parameters in distinct.values():
        path = ("parameters",) if parameters is card.parameters else ("trial_specs",)
        yield from methodology_faults(card, parameters, data, path)


def scanner_of(card: Runcard | TrainerRuncard, like_n3fit: bool = False) -> HyperScanner:
    """The `HyperScanner` of a card; raises SpaceError, and StoreError or ScanError for scans that it goes on from."""
    from hyperparton.scan.best_trials import find_scan
    from hyperparton.scan.scanner import HyperScanner

    config, checked = card.scan_config(), card.hyperscan_config
    if checked is not None and checked.from_hyperscan is not None:
        config = _config_of(checked.from_hyperscan, card)
        checked = validated(HyperscanConfig, config, SpaceError, f"hyperscan_config of {checked.from_hyperscan}")
    if checked is not None and checked.use_tries_from:
        folder = None if card.path is None else Path(card.path).resolve().parent
        found = []
        for name in checked.use_tries_from:
            try:
                found.append(str(find_scan(name, folder)))
            except StoreError:
                if not checked.scanned:
                    raise
                found.append(name)  # a scan that was begun has kept its trials
        config["use_tries_from"] = found
    return HyperScanner(card.scan_parameters(), config, like_n3fit=like_n3fit)


def _config_of(name: str, card: Runcard | TrainerRuncard) -> dict[str, Any]:
    """The `hyperscan_config` of an earlier scan's card; raises StoreError for a card without one."""
    from hyperparton.scan.best_trials import find_scan
    from hyperparton.trials.scan_folder import ScanFolder

    folder = None if card.path is None else Path(card.path).resolve().parent
    found = find_scan(name, folder)
    path = (ScanFolder(found) if found.is_dir() else ScanFolder.find(found)).runcard
    try:
        document = load_document(path)
        config = document.content.get("hyperscan_config")
    except RuncardError as error:
        raise StoreError(f"the scan {name} has no card that can be read: {error}") from error
    if not isinstance(config, dict) or not config or "from_hyperscan" in config:
        raise StoreError(f"the scan {name} has no hyperscan_config of its own in {path}")
    return config


def notices(checked: CheckedCard) -> list[str]:
    """Lines on what of a card has no effect."""
    unused = [f"{shortened(key)}{f' ({REASONS[key]})' if key in REASONS else ''}" for key in checked.card.unused]
    lines = [f"not used by hyperparton: {', '.join(unused)}"] if unused else []
    return [*map(str, checked.notes), *lines]


def data_summary(data: FitData) -> list[str]:
    """Lines on the data of a PDF fit."""
    return [
        f"theory {data.theory.theoryid}: {data.theory.origin}, {data.theory.path}",
        f"{counted(data.ndata, 'point')} in {counted(len(data.datasets), 'data set')}, "
        f"t0 set {data.t0pdfset or 'none'}",
    ]


def output_folder(card: Runcard | TrainerRuncard, given: Path | None) -> Path:
    """Where results go: what was asked for, else the runcard's stem in the current folder."""
    return given if given is not None else Path(Path(card.path).stem)
