"""What a runcard asks for and cannot have, although each of its sections is right: losses, splits, sampled values."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.data.covmat import correlations
from hyperparton.data.masks import diagonal_mask, kfold_masks, split_seeds, training_masks
from hyperparton.data.pseudodata import expect_drawable
from hyperparton.errors import DataError, Fault, SpaceError, TrainingError, nearest, shortened
from hyperparton.fit.chi2 import cholesky
from hyperparton.fit.multipliers import pushes_of, start_and_multiplier
from hyperparton.pdf.feature_scaling import feature_scaling, scaling_grids
from hyperparton.runcard.card import N3FIT, Runcard, TrainerRuncard
from hyperparton.runcard.cross_checks import parameter_faults
from hyperparton.runcard.kfold import KFold, Partition
from hyperparton.runcard.parameters import Parameters, trial_parameters
from hyperparton.space.samplers import Choice, Sampler
from hyperparton.space.tree import Condition, choose, conditions, evaluate, samplers_by_label
from hyperparton.text import counted

if TYPE_CHECKING:
    from hyperparton.data.types import FitData
    from hyperparton.scan.scanner import HyperScanner

__all__ = ["data_faults", "factory_faults", "loss_faults", "methodology_faults", "space_faults"]

#: options of a choice, and points of a search space, that are tried
_MOST_OPTIONS, _MOST_POINTS = 200, 600


def loss_faults(card: Runcard, replicas: int) -> Iterator[Fault]:
    """Losses of a scan that are the same for all trials, with so many replicas."""
    kfold = card.kfold
    if kfold is None:
        yield card.fault((), "a scan needs kfold with partitions")
        return
    more = "more replicas (--replicas)"
    given = f"{replicas} per fold, reduce_proportion {kfold.reduce_proportion:g}"
    if kfold.best(replicas) < 2 and kfold.loss_type == "phi2":
        fault = "phi2 is the spread of the best replicas of a fold, so there must be two of them at least"
        yield card.fault(("kfold", "loss_type"), fault, given, more)
    if kfold.best(replicas) < 2 and kfold.loss_type == "chi2" and kfold.replica_statistic == "std":
        fault = "std is the spread of the best replicas of a fold, so there must be two of them at least"
        yield card.fault(("kfold", "replica_statistic"), fault, given, more)
    yield from _fold_faults(card, kfold)


def _fold_faults(card: Runcard, kfold: KFold) -> Iterator[Fault]:
    in_loss = sum(partition.weight > 0 for partition in kfold.partitions)
    if in_loss == 0:
        yield card.fault(("kfold", "partitions"), "no fold counts: the weight of each is 0")
    elif in_loss == 1 and kfold.fold_statistic == "std":
        key = "fold_statistic" if "fold_statistic" in card.raw["kfold"] else "target"
        fault = "std is the spread of the losses of folds, so there must be two that count at least"
        yield card.fault(
            ("kfold", key), fault, f"{counted(len(kfold.partitions), 'fold')}, {in_loss} of weight above 0"
        )


def data_faults(card: Runcard, data: FitData, replicas: Sequence[int], scan: bool) -> Iterator[Fault]:
    """Data that cannot be fitted: a matrix that has no inverse, a split that leaves nothing to train."""
    try:
        cholesky(data.covmat, "the data")
        cholesky(data.experimental_covmat, "the data")
        if card.genrep and data.sampling_covmat is not data.covmat:
            expect_drawable(data)
    except DataError as error:
        yield card.fault(("dataset_inputs",), str(error))
        return
    partitions = card.kfold.partitions if scan and card.kfold else (Partition(datasets=()),)
    fitted = data.named_slices().keys()
    masks = kfold_masks(data, [fitted & set(partition.datasets) for partition in partitions])
    masks |= np.array([partition.overfit for partition in partitions])[:, None]
    seeds = split_seeds(card, replicas)
    if card.diagonal_basis:
        for fold, mask in enumerate(masks):
            size = int(mask.sum())
            if size and not diagonal_mask(size, seeds[0], card.diagonal_frac, data.datasets[0].group).any():
                where = f"the {size} eigenmodes of {_name(fold, scan)}"
                message = f"leaves none of {where} to train"
                yield card.fault(("diagonal_frac",), message, f"{card.diagonal_frac:g}", f"at least {1 / size:.2g}")
                return
        yield from _threshold_faults(card, data, masks, seeds, scan)
        return
    trained = training_masks(data, seeds)
    for fold, mask in enumerate(masks):
        for number, chosen in zip(replicas, trained, strict=True):
            if mask.any() and not (chosen & mask).any():
                message = f"the shares `frac` leave no point of {_name(fold, scan)} to train in replica {number}"
                yield card.fault(("dataset_inputs",), message, accepted="larger shares, or another trvlseed")
                return


def _threshold_faults(
    card: Runcard, data: FitData, masks: np.ndarray, seeds: Sequence[int], scan: bool
) -> Iterator[Fault]:
    """A threshold below which there are all eigenmodes that train, of a fold (fold, dat) and a replica."""
    if card.threshold == 0:
        return
    for fold, mask in enumerate(masks):
        eigenvalues = np.linalg.eigvalsh(correlations(data.covmat[np.ix_(mask, mask)])[1])
        for seed in seeds:
            trained = diagonal_mask(len(eigenvalues), seed, card.diagonal_frac, data.datasets[0].group)
            if mask.any() and not (eigenvalues[trained] >= card.threshold).any():
                largest = f"below {eigenvalues[trained].max():.3g}, the largest eigenvalue of them"
                message = f"leaves no eigenmode of {_name(fold, scan)} to train"
                yield card.fault(("threshold",), message, f"{card.threshold:g}", largest)
                return


def _name(fold: int, scan: bool) -> str:
    return f"fold {fold + 1}" if scan else "the data"


def methodology_faults(
    card: Runcard, parameters: Parameters, data: FitData | None, path: tuple[str, ...] = ("parameters",)
) -> Iterator[Fault]:
    """What of the hyperparameters of a fit its sets and tables do not allow."""
    for key, sets in (("positivity", card.positivity), ("integrability", card.integrability)):
        options = getattr(parameters, key)
        for entry in sets:
            if not _is_float32(options.initial, options.multiplier, entry.maxlambda, parameters.epochs):
                message = f"the multiplier of {entry.dataset} does not fit into a number of 32 bits"
                given = f"{counted(parameters.epochs, 'epoch')}, maxlambda {entry.maxlambda:g}"
                yield card.fault((*path, key), message, given)
                break
    points = parameters.feature_scaling_points
    if points is not None and data is not None:
        try:
            feature_scaling(scaling_grids(data), points)
        except TrainingError as error:
            yield card.fault((*path, "feature_scaling_points"), str(error))


def _is_float32(initial: float | None, multiplier: float | None, largest: float, epochs: int) -> bool:
    """Whether a multiplier can be computed in single precision, from the first epoch to the last."""
    try:
        begin, factor = start_and_multiplier(initial, multiplier, largest, epochs)
        end = begin * factor ** pushes_of(epochs)
    except OverflowError:
        return False
    info = np.finfo(np.float32)
    return all(float(info.tiny) <= each <= float(info.max) for each in (begin, factor, end))


def space_faults(card: Runcard, scanner: HyperScanner, data: FitData | None) -> Iterator[Fault]:
    """Values of the search space that no fit can have: the middle of all ranges, their ends, the options of choices."""
    known: set[tuple[str, str]] = set()
    for label, shown, vals in islice(_points(scanner.as_dict()), _MOST_POINTS):
        found = _of_point(card, scanner, data, vals)
        new = [fault for fault in found if (fault.path, fault.message) not in known]
        known |= {(fault.path, fault.message) for fault in new}
        if new:
            wrong = "; ".join(str(replace(fault, file=None, line=None, column=None)) for fault in new)
            yield card.fault(_place(card, label), f"{shown} cannot be fitted: {wrong}")


def _points(space: Any) -> Iterator[tuple[str | None, str, dict[str, list[Any]]]]:
    """Points of the space to try: (the label that is not in the middle of its range, what to call it, the point)."""
    ways = conditions(space)
    yield None, "a trial in the middle of the ranges", _point(space, None, (), 0.5)
    for label, sampler in samplers_by_label(space).items():
        if isinstance(sampler, Choice):
            count = min(sampler.cells, _MOST_OPTIONS)
            tried = [((k + 0.5) / sampler.cells, f"option {k + 1}") for k in range(count)]
        else:
            tried = [(share, f"{sampler.value_at(share):g}") for share in (0.0, 1.0)]
        for share, shown in tried:
            yield label, f"{shortened(label)} {shown}", _point(space, label, ways[label][0], share)


def _point(space: Any, label: str | None, way: Condition, share: float) -> dict[str, list[Any]]:
    """A point of the space where `label` is at `share`, other ranges in their middle, other choices at their first.

    `way` are the choices that lead to the label.
    """
    forced = dict(way)

    def value_of(sampler: Sampler) -> Any:
        if sampler.label == label:
            return sampler.value_at(share)
        return forced.get(sampler.label, 0) if isinstance(sampler, Choice) else sampler.value_at(0.5)

    return choose(space, value_of)


def _of_point(card: Runcard, scanner: HyperScanner, data: FitData | None, vals: dict[str, list[Any]]) -> list[Fault]:
    """What is wrong with a point of the space as the parameters of a fit."""
    try:
        parameters = trial_parameters(evaluate(scanner.as_dict(), vals), scanner.hyper_keys)
    except (TrainingError, SpaceError) as error:
        return [Fault(str(error))]
    return [*parameter_faults(card, parameters), *methodology_faults(card, parameters, data, ())]


def _place(card: Runcard, label: str | None) -> tuple[str, ...]:
    config = card.hyperscan_config
    if label is not None and config is not None and label in (config.space or ()):
        return "hyperscan_config", "space", label
    return ("hyperscan_config",)


def factory_faults(card: TrainerRuncard) -> Iterator[Fault]:
    """A factory that is not there, found without running any code of it."""
    module, _, factory = card.trainer.partition(":")
    if card.trainer == N3FIT or card.path is None:
        return
    beside = Path(card.path).resolve().parent.joinpath(*module.split("."))
    files = [each for each in (beside.with_suffix(".py"), beside / "__init__.py") if os.path.isfile(each)]
    if not files:
        top = module.partition(".")[0]
        if not os.path.isdir(beside.parents[module.count(".")] / top) and find_spec(top) is None:
            yield card.fault(("trainer",), f"there is no module {top!r} beside the card or installed", card.trainer)
        return
    try:
        tree = ast.parse(files[0].read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        yield card.fault(("trainer",), f"{files[0]} is no Python: {error}", card.trainer)
        return
    names = set(_bound(tree))
    if not {factory, "*", "__getattr__"} & names:
        yield card.fault(("trainer",), f"{files[0]} has no {factory!r}{nearest(factory, names)}", card.trainer)


def _bound(tree: ast.AST) -> Iterator[str]:
    """Every name that code binds somewhere."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
