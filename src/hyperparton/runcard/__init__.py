"""Runcards: NNPDF's own cards read as they are, checked in whole before anything runs."""

from hyperparton.runcard.card import (
    N3FIT,
    DataCuts,
    DatasetInput,
    LagrangeSet,
    Runcard,
    SharedRuncard,
    TrainerRuncard,
)
from hyperparton.runcard.check import examine, parse_runcard, read_runcard
from hyperparton.runcard.cross_checks import parameter_faults
from hyperparton.runcard.parameters import LagrangeOptions, Optimizer, Parameters, trial_parameters
from hyperparton.runcard.yaml_positions import Document, KeyPath, dotted, load_document, parse_document

__all__ = [
    "N3FIT",
    "DataCuts",
    "DatasetInput",
    "Document",
    "KeyPath",
    "LagrangeOptions",
    "LagrangeSet",
    "Optimizer",
    "Parameters",
    "Runcard",
    "SharedRuncard",
    "TrainerRuncard",
    "dotted",
    "examine",
    "load_document",
    "parameter_faults",
    "parse_document",
    "parse_runcard",
    "read_runcard",
    "trial_parameters",
]
