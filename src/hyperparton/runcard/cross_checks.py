"""What can be wrong between the sections of a runcard, each of which is right by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from hyperparton.errors import Fault, nearest
from hyperparton.runcard.card import N3FIT, Runcard, SharedRuncard, TrainerRuncard
from hyperparton.runcard.cut_checks import cut_faults
from hyperparton.runcard.faults import translated
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.hyperscan_config import HyperscanConfig
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["cross_check", "cross_check_trainer", "parameter_faults"]

#: section of hyperscan_config -> its key -> the parameter that it scans
_SCANS: Mapping[str, Mapping[str, str]] = {
    "stopping": {
        "min_epochs": "epochs",
        "max_epochs": "epochs",
        "min_patience": "stopping_patience",
        "max_patience": "stopping_patience",
    },
    "architecture": {
        "initializers": "initializer",
        "activations": "activation_per_layer",
        "max_drop": "dropout",
        "n_layers": "nodes_per_layer",
        "layer_types": "layer_type",
    },
}

#: bounds of hyperscan_config and the ones that they need beside them
_TOGETHER = (
    ("min_epochs", "max_epochs"),
    ("max_epochs", "min_epochs"),
    ("min_multiplier", "max_multiplier"),
    ("min_initial", "max_initial"),
    ("max_initial", "min_initial"),
)


def cross_check(card: Runcard, wrong: Collection[str] = ()) -> list[Fault]:
    """Every fault between the sections of an NNPDF runcard; those that are `wrong` themselves are not looked at."""
    checks = {
        _datasets: {
            "dataset_inputs",
            "positivity",
            "integrability",
            "genrep",
            "mcseed",
            "load",
            "load_weights_from_fit",
        },
        _partitions: {"dataset_inputs", "kfold"},
        cut_faults: {"datacuts", "filter_defaults"},
        _network: {"parameters", "fitting", "trial_specs", "hyperscan_config"},
        _scanned: {"parameters", "hyperscan_config"},
        _parameter_sets: {"fitting", "hyperscan_config"},
    }
    return [fault for check, sections in checks.items() if sections.isdisjoint(wrong) for fault in check(card)]


def cross_check_trainer(card: TrainerRuncard) -> list[Fault]:
    """The same for a card with a trainer of the user's own."""
    faults = list(_scanned(card))
    module, colon, factory = card.trainer.partition(":")
    names = [*module.split("."), factory]
    if card.trainer != N3FIT and (not colon or not all(name.isidentifier() for name in names)):
        faults.append(card.fault(("trainer",), "names a function", repr(card.trainer), f"module:factory, or {N3FIT}"))
    if card.hyperscan_config is None:
        faults.append(card.fault((), "a card with a trainer of its own needs hyperscan_config"))
    return faults


def _datasets(card: Runcard) -> Iterator[Fault]:
    if not card.dataset_inputs:
        yield card.fault(("dataset_inputs",), "names no data set: there is nothing to fit")
    for section in ("dataset_inputs", "positivity", "integrability"):
        counted: Counter[str] = Counter()
        for place, entry in enumerate(getattr(card, section)):
            counted[entry.dataset] += 1
            if counted[entry.dataset] == 2:
                yield card.fault((section, place), f"names the data set {entry.dataset} a second time")
    if card.load is not None and card.load_weights_from_fit is not None:
        accepted = "one of load and load_weights_from_fit"
        yield card.fault(
            ("load_weights_from_fit",), "does not go with load: both say where fits start", accepted=accepted
        )
    if card.genrep and "mcseed" not in card.model_fields_set:
        yield card.fault(("genrep",), "Monte Carlo replicas of the data need mcseed")


def _partitions(card: Runcard) -> Iterator[Fault]:
    known = [entry.dataset for entry in card.dataset_inputs]
    for k, partition in enumerate(card.kfold.partitions if card.kfold else ()):
        for place, name in enumerate(partition.datasets):
            if name not in known:
                path = ("kfold", "partitions", k, "datasets", place)
                yield card.fault(path, f"hides a data set that is not fitted{nearest(name, known)}", name)
        if known and set(known) <= set(partition.datasets):
            yield card.fault(("kfold", "partitions", k), "hides every data set: nothing is left to fit")


def _network(card: Runcard) -> Iterator[Fault]:
    if isinstance(card, SharedRuncard):
        nodes, specs = card.trial_specs.override.nodes_per_layer, ("trial_specs", "override")
        yield from _output_size(card, nodes, specs) if nodes else ()
        yield from _exponents(card, card.parameters.feature_scaling_points)
        if card.hyperscan_config is not None:
            yield card.fault(("trial_specs",), "takes methodologies from a scan: hyperscan_config cannot be given too")
        return
    yield from _output(card, card.parameters, ("parameters",))


def _output(card: Runcard, parameters: Parameters, path: KeyPath) -> Iterator[Fault]:
    """What the network must be for the fitting basis and for a fit that is written down, not sampled."""
    yield from _output_size(card, parameters.nodes_per_layer, path)
    activations, elements = parameters.activation_per_layer, [element.fl for element in card.fitting.basis]
    if "square_singlet" in activations[:-1]:
        message = "square_singlet can be the activation of the last layer only"
        yield card.fault(path, message, ", ".join(activations))
    if activations[-1] == "square_singlet" and set(elements[:2]) != {"sng", "g"}:
        message = "square_singlet needs sng and g as the first two elements of the basis"
        yield card.fault((*path, "activation_per_layer"), message, ", ".join(elements))
    if parameters.dropout > 0 and parameters.layer_type == "dense_per_flavour":
        message, accepted = "dropout does not go with dense_per_flavour", "layer_type: dense, or dropout: 0.0"
        yield card.fault(path, message, f"{parameters.dropout:g}", accepted)
    yield from _exponents(card, parameters.feature_scaling_points)


def _output_size(card: Runcard, nodes: Sequence[int], path: KeyPath) -> Iterator[Fault]:
    size = len(card.fitting.basis)
    if nodes[-1] != size:
        accepted = f"{size}, one node per element of the basis"
        yield card.fault((*path, "nodes_per_layer"), "the last layer has the wrong size", str(nodes[-1]), accepted)


def _exponents(card: Runcard, scaling_points: int | None) -> Iterator[Fault]:
    """Exponents at large x go with all networks but those whose input is scaled."""
    large = [e.fl for e in card.fitting.basis if e.largex != (0.0, 0.0)]
    if scaling_points is not None and large:
        message = "feature scaling leaves no room for largex exponents"
        yield card.fault(("fitting", "basis"), message, f"largex for {', '.join(large)}", "no largex")
    absent = [e.fl for e in card.fitting.basis if "largex" not in e.model_fields_set]
    if scaling_points is None and absent:
        yield card.fault(("fitting", "basis"), "largex is missing", f"none for {', '.join(absent)}", "[lower, upper]")


def _scanned(card: Runcard | TrainerRuncard) -> Iterator[Fault]:
    """Scanned parameters that `parameters` does not declare."""
    config = card.hyperscan_config
    if config is None:
        return
    declared = card.scan_parameters()
    if not (config.scanned or config.use_tries_from or config.from_hyperscan):
        yield card.fault(("hyperscan_config",), "holds no range and no choice: there is nothing to scan")
    for section, scans in _SCANS.items():
        for key in scans.keys() & _given(config, section):
            if scans[key] not in declared:
                yield _undeclared(card, ("hyperscan_config", section, key), scans[key], declared)
    for section, key, other in _alone(config):
        message, accepted = f"{key} is given without {other}", f"both {key} and {other}"
        yield card.fault(("hyperscan_config", section), message, f"{key} alone", accepted)
    for section in ("optimizer", "positivity", "integrability"):
        if getattr(config, section) is not None and section not in declared:
            yield _undeclared(card, ("hyperscan_config", section), section, declared)
    scanned = _scanned_by_sections(config)
    for key in config.space or ():
        path = ("hyperscan_config", "space", key)
        if key not in declared:
            yield _undeclared(card, path, key, declared)
        if key in scanned:
            message = f"{key!r} is scanned a second time, first by {scanned[key]}"
            yield card.fault(path, message, accepted="one of the two")


def _scanned_by_sections(config: HyperscanConfig) -> dict[str, str]:
    """Parameter -> the key of `hyperscan_config` that scans it, `space` apart."""
    scanned = {name: name for name in ("optimizer", "positivity", "integrability") if getattr(config, name) is not None}
    for section, scans in _SCANS.items():
        scanned |= {scans[key]: f"{section}.{key}" for key in scans if key in _given(config, section)}
    return scanned


def _alone(config: HyperscanConfig) -> Iterator[tuple[str, str, str]]:
    """(section, bound, the bound that is missing): of such a pair nothing would be sampled."""
    for section in ("stopping", "positivity", "integrability"):
        keys = _given(config, section)
        yield from ((section, key, other) for key, other in _TOGETHER if key in keys and other not in keys)


def _given(config: HyperscanConfig, section: str) -> set[str]:
    """The keys that a section of `hyperscan_config` has."""
    part: Section | None = getattr(config, section)
    return set() if part is None else part.model_fields_set


def _undeclared(card: Runcard | TrainerRuncard, path: KeyPath, target: str, declared: Mapping[str, Any]) -> Fault:
    message = f"scans {target!r}, which `parameters` does not declare{nearest(target, declared)}"
    return card.fault(path, message, accepted=", ".join(declared))


def parameter_faults(card: Runcard, parameters: Parameters) -> list[Fault]:
    """What is wrong with parameters from elsewhere, such as a trial's, as those of this card's fits.

    The faults name no place in a file.
    """
    return [replace(fault, file=None, line=None, column=None) for fault in _output(card, parameters, ())]


def _parameter_sets(card: Runcard) -> Iterator[Fault]:
    """Whole parameter sets must each be complete."""
    for place, entry in enumerate((card.hyperscan_config and card.hyperscan_config.parameters) or ()):
        path = ("hyperscan_config", "parameters", place)
        try:
            yield from _output(card, Parameters.model_validate(entry), path)
        except ValidationError as error:
            yield from translated(error, card._document, path, Parameters)
