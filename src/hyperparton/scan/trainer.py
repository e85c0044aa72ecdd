"""What a scan asks of a trainer, and what a trainer may do besides; each ability is a protocol.

`adapted` gives any trainer all abilities: those that it lacks do what a scan expects of a trainer without them. So a
scan asks for abilities here and nowhere else.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from hyperparton.errors import NodeError, ScanError, is_of_node, summary_of
from hyperparton.scan.checkpoints import Checkpoints

__all__ = [
    "AdaptedTrainer",
    "BatchTrainer",
    "ProgressTrainer",
    "RefittingTrainer",
    "ReportingTrainer",
    "Trainer",
    "adapted",
    "load_trainer",
    "search_in",
    "with_place",
]


@runtime_checkable
class Trainer(Protocol):
    """All that a scan needs of what it scans; n3fit's ModelTrainer is one."""

    def set_hyperopt(self, hyperopt_on: bool, /, keys: Any = None) -> None:
        """Prepare for a scan: called once, before the first trial, with the keys of `parameters` that are scanned."""
        ...

    def hyperparametrizable(self, params: dict[str, Any], /) -> Mapping[str, Any]:
        """Try one set of parameters; the result has at least `status` (ok or fail) and `loss`."""
        ...


@runtime_checkable
class ReportingTrainer(Trainer, Protocol):
    """A trainer that reports at checkpoints, so that its trials can be pruned.

    In a scan that prunes, `report` is a function during each trial, otherwise None: `report(epoch, loss, folds=(),
    epochs=None)` with the loss that the trial would have if it ended after `epoch` epochs, the same of each fold, and
    how many epochs the trial may take. It raises TrialPrunedError to end the trial; a trainer lets that pass.
    """

    report: Callable[..., None] | None


@runtime_checkable
class BatchTrainer(Trainer, Protocol):
    """A trainer that computes several trials together."""

    def hyperparametrizable_batch(
        self, trials: Sequence[Mapping[str, Any]], reports: Sequence[Callable[..., None] | None], /
    ) -> Sequence[Any]:
        """For each of `trials` what `hyperparametrizable` returns, or the exception that it would raise.

        `reports` has an entry for each trial, in the place of the attribute `report`; None where nothing is pruned.
        """
        ...


@runtime_checkable
class RefittingTrainer(Trainer, Protocol):
    """A trainer that can fit the same parameters again with other random numbers, so that luck can be told from merit.

    Replicas have numbers; each number stands for the same random numbers (network, split of the data, noise) whatever
    the parameters are. The result has `status`, `loss` and `replica_losses`, the loss of each replica alone. It may
    have `replica_fails_below`: for names of hyperparameters the value of each replica below which it would have failed.
    """

    def refit(self, params: dict[str, Any], replicas: Sequence[int], /) -> Mapping[str, Any]:
        """Fit the replicas of these numbers with the parameters `params`."""
        ...


@runtime_checkable
class ProgressTrainer(Trainer, Protocol):
    """A trainer that reports how far its fits are: it calls `progress` with a dictionary now and then."""

    progress: Callable[[dict[str, Any]], None] | None


class AdaptedTrainer:
    """A trainer as a scan uses it: it has all abilities, and says which of them are the trainer's own."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.reports = isinstance(trainer, ReportingTrainer)
        self.batches = isinstance(trainer, BatchTrainer)
        self.refits = isinstance(trainer, RefittingTrainer)

    def begin(self, keys: Any, prune: bool) -> None:
        """Prepare for a scan of `keys`; raises ScanError if its trials cannot be pruned and shall be."""
        if prune and not self.reports:
            name = type(self.trainer).__name__
            raise ScanError(f"pruning needs a trainer that reports at checkpoints: {name} has no attribute `report`")
        self.trainer.set_hyperopt(True, keys=keys)

    def report_progress_to(self, progress: Callable[[dict[str, Any]], None]) -> None:
        """Let a trainer that reports how far its fits are call `progress`."""
        if isinstance(self.trainer, ProgressTrainer):
            self.trainer.progress = progress

    def run(self, params: dict[str, Any], checkpoints: Checkpoints | None) -> Any:
        """What the trainer returns for `params`; it reports to `checkpoints` meanwhile, if there are any."""
        reporting: Any = self.trainer
        if checkpoints is not None:
            reporting.report = checkpoints
        try:
            return self.trainer.hyperparametrizable(params)
        finally:
            if checkpoints is not None:
                reporting.report = None

    def refit(self, params: dict[str, Any], replicas: Sequence[int]) -> Any:
        """What the trainer gives for these replicas; for a trainer that refits."""
        assert isinstance(self.trainer, RefittingTrainer)
        return self.trainer.refit(params, replicas)

    def run_batch(self, trials: Sequence[dict[str, Any]], checkpoints: Sequence[Checkpoints | None]) -> Sequence[Any]:
        """What the trainer returns for each of `trials`, computed together; for a trainer that batches."""
        assert isinstance(self.trainer, BatchTrainer)
        return self.trainer.hyperparametrizable_batch(trials, checkpoints)


def _missing_method(trainer: Any) -> str | None:
    """The name of a method that every trainer needs and this one lacks; None if it has both."""
    needed = ("set_hyperopt", "hyperparametrizable")
    return next((name for name in needed if not callable(getattr(trainer, name, None))), None)


def adapted(trainer: Trainer | AdaptedTrainer) -> AdaptedTrainer:
    """The trainer as a scan uses it; raises ScanError if it lacks a method."""
    if isinstance(trainer, AdaptedTrainer):
        return trainer
    if (method := _missing_method(trainer)) is not None:
        raise ScanError(f"a trainer needs the method {method}, {type(trainer).__name__} has none")
    return AdaptedTrainer(trainer)


def search_in(*folders: str) -> None:
    """Find modules in these folders too: before those that are installed, but not before Python's own.

    Libraries import Python's modules when they need them, and a scan's folder may hold a `queue.py`.
    """
    own = sysconfig.get_path("stdlib")
    places = [number for number, path in enumerate(sys.path, 1) if path in (own, os.path.join(own, "lib-dynload"))]
    place = places[-1] if places else 0
    sys.path[place:place] = [folder for folder in folders if folder not in sys.path]


def _imported(name: str, folder: Path | None) -> ModuleType:
    """The module of that name: the one in `folder` where there is one, whatever else has the name."""
    if folder is not None:
        search_in(str(folder))
        first = name.partition(".")[0]
        spec = None if first in sys.modules else PathFinder.find_spec(first, [str(folder)])
        if spec is not None and spec.loader is not None:
            sys.modules[first] = module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[first])
            except BaseException:
                del sys.modules[first]
                raise
    return import_module(name)


def load_trainer(name: str, content: Mapping[str, Any], folder: Path | None = None) -> Trainer:
    """The trainer of the user's own that a card names as `trainer: module:factory`, made of the card's `content`.

    The factory is called with the content, a dictionary, and returns an object with the two methods of `Trainer`.
    Modules in `folder`, the card's own, go before installed ones, the trainer's before Python's too. Raises ScanError
    naming what is not there, what the factory raised and where, or which method its result lacks; NodeError if the
    machine is at fault.
    """
    module_name, _, factory_name = name.partition(":")
    try:
        module = _imported(module_name, folder)
    except ImportError as fault:
        beside = f" (looked in {folder} first)" if folder is not None else ""
        raise ScanError(f"trainer {name}: {fault}{beside}") from fault
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # a module may call sys.exit, a library in another language panic
        raise _whose(fault)(f"trainer {name}: importing {module_name} raised {with_place(fault)}") from fault
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise ScanError(f"trainer {name}: {module_name} has no function {factory_name!r}")
    try:
        trainer: Any = factory(dict(content))
    except (NodeError, KeyboardInterrupt):
        raise
    except BaseException as fault:
        raise _whose(fault)(f"trainer {name}: {factory_name} raised {with_place(fault)}") from fault
    if (method := _missing_method(trainer)) is not None:
        raise ScanError(f"trainer {name}: {factory_name} returned a {type(trainer).__name__} without {method}")
    return trainer


def _whose(fault: BaseException) -> type[ScanError]:
    return NodeError if is_of_node(fault) else ScanError


def with_place(fault: BaseException) -> str:
    """The exception with its place."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{summary_of(fault)}{place}"
