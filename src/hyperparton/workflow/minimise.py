"""`minimise`: a scan of whatever function, without a runcard and without a class for a trainer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from hyperparton.errors import ScanError, SpaceError, is_of_disk, summary_of
from hyperparton.scan.events import Progress
from hyperparton.scan.limits import TrialTimeoutError
from hyperparton.scan.run import run_scan
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import settings_of
from hyperparton.scan.worker_process import Recipe
from hyperparton.trials.refits import read_refits
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.tries_read import read_trials
from hyperparton.trials.verdict import by_verdict, verdicts
from hyperparton.workflow.begun import keeps_what_it_asks_for

__all__ = ["Minimum", "build", "minimise"]

#: the seed with which trials are computed; re-fits have larger ones, as replicas of PDF fits have
_SEED = 1


@dataclass(frozen=True)
class Minimum:
    """The answer of `minimise`."""

    parameters: dict[str, Any]
    """the best parameters, as the function gets them"""
    loss: float
    """what the function returned for them in the scan; re-fits have other losses"""
    trial: int
    """number of their trial"""
    output: Path
    """the scan's folder, for `hyperparton report` and its like"""


def minimise(
    function: Callable[..., Any] | str,
    space: Mapping[str, Any] | str,
    *,
    trials: int,
    output: str | Path,
    progress: Progress | None = None,
    **options: Any,
) -> Minimum:
    """Find the parameters in `space` for which `function` returns the least, in `trials` trials in total.

    `space` is a dictionary with samplers (`hp_uniform` and its like) as values, at any depth: in dictionaries, in lists
    and in the options of `hp_choice`. All else in it is passed on as it is. `function(parameters)` gets such a
    dictionary with a value in the place of each sampler. It returns the loss, a number, or a dictionary with `loss` and
    whatever else shall be kept with the trial. If it raises an exception, or the loss is not finite, the trial fails
    and the scan goes on.

    A function with an argument `seed` is called with `seed=1`, and at the scan's end the best parameters are tried
    again with other seeds, so that luck is told from merit: it draws all its random numbers from the seed. A function
    with an argument `report` gets a function: `report(epoch, loss, epochs=...)` says how far it is, so that trials can
    be pruned (`prune=True`).

    `output` is the scan's folder: if it holds a part of this scan, that is continued. `options` are fields of
    `ScanSettings` and `Execution` by their names, `engine="gp", seed=7, limits=Limits(trial_timeout=60)`. With
    `workers` function and space are names, `"module:function"` and `"module:SPACE"`, which each worker imports.

    `progress` is called with the events of `run_scan`. Raises ScanError for an unknown option, SpaceError for a space
    that is no dictionary, and what `run_scan` raises.
    """
    settings, execution = settings_of(options)
    called, scanned = _resolved(function, "function"), _resolved(space, "space")
    trainer, scanner = _trainer_of(called), _scanner_of(scanned)
    name = getattr(called, "__qualname__", type(called).__qualname__)
    settings = replace(settings, metadata={"function": name, **settings.metadata})
    folder = ScanFolder(Path(output))
    listen = keeps_what_it_asks_for(folder, trials, scanner, settings, execution, progress)
    run_by: _Function | Recipe = trainer
    if isinstance(function, str) and isinstance(space, str):
        names = {"function": function, "space": space}
        run_by = Recipe(f"{__name__}:{build.__name__}", names, _folders(function, space))
    elif execution.workers is not None or execution.scheduler is not None:
        raise ScanError(
            "workers import function and space by their names: give both as texts, 'module:function' and 'module:SPACE'"
        )
    parameters = run_scan(
        folder.replica, run_by, scanner, trials, settings=settings, execution=execution, progress=listen
    )
    done = read_trials(folder.tries, keep=lambda trial: trial.without_arrays())
    best = by_verdict(done, verdicts(read_refits(folder.tries, done)))[0]
    assert best.loss is not None
    return Minimum(parameters, best.loss, best.number, folder.path)


def build(function: str, space: str) -> tuple[_Function, HyperScanner]:
    """(trainer, HyperScanner) of the names of a function and a space: how a worker makes them."""
    return _trainer_of(_resolved(function, "function")), _scanner_of(_resolved(space, "space"))


def _resolved(given: Any, what: str) -> Any:
    if not isinstance(given, str):
        return given
    if not given.partition(":")[2]:
        raise ScanError(f"{what}: accepted as text is 'module:name', given {given!r}")
    try:
        return resolve_name(given)
    except Exception as fault:
        raise ScanError(f"{what} {given}: {summary_of(fault)}") from fault


def _folders(*names: str) -> tuple[str, ...]:
    """The folders in which the modules of these names were found."""
    found = []
    for name in names:
        module = resolve_name(name.partition(":")[0])
        if file := getattr(module, "__file__", None):
            depth = module.__name__.count(".") + (Path(file).name == "__init__.py")
            found.append(str(Path(file).resolve().parents[depth]))
    return tuple(dict.fromkeys(found))


def _scanner_of(space: Any) -> HyperScanner:
    if not isinstance(space, Mapping):
        raise SpaceError(f"space: accepted is a dictionary with samplers, given {type(space).__name__}")
    return HyperScanner.of_space(space)


def _trainer_of(function: Any) -> _Function:
    if not callable(function):
        raise ScanError(f"function: accepted is something that can be called, given {type(function).__name__}")
    try:
        accepted = inspect.signature(function).parameters
    except ValueError:  # of some builtins
        accepted = {}
    kind = _Seeded if "seed" in accepted else _Function
    return kind(function, reports="report" in accepted)


class _Function:
    """A trainer that calls a function of the parameters."""

    def __init__(self, function: Callable[..., Any], reports: bool) -> None:
        self._function, self._reports = function, reports
        if reports:
            self.report: Callable[..., None] | None = None

    def set_hyperopt(self, hyperopt_on: bool, keys: Any = None) -> None:
        """There is nothing to prepare."""

    def hyperparametrizable(self, params: dict[str, Any]) -> dict[str, Any]:
        """What the function returns, as a result."""
        return self._result(params)

    def _result(self, params: dict[str, Any], **more: Any) -> dict[str, Any]:
        if self._reports:
            more["report"] = self.report or _nothing
        returned = self._function(params, **more)
        if isinstance(returned, Mapping):
            if "loss" not in returned:
                raise TypeError(f"the function returned a dictionary without 'loss': {', '.join(map(str, returned))}")
            return {"status": "ok", **returned, "loss": _number(returned["loss"])}
        return {"status": "ok", "loss": _number(returned)}


class _Seeded(_Function):
    """One whose function takes a seed."""

    def hyperparametrizable(self, params: dict[str, Any]) -> dict[str, Any]:
        """What the function returns with the seed of the scan."""
        return self._result(params, seed=_SEED)

    def refit(self, params: dict[str, Any], replicas: Sequence[int]) -> dict[str, Any]:
        """The losses with other seeds; one with which the function raises an exception has none.

        A disk that is full, read-only or gone is no fault of the parameters: that exception is raised here too.
        """
        losses: list[float | None] = []
        fault = None
        for seed in replicas:
            try:
                losses.append(self._result(params, seed=seed)["loss"])
            except TrialTimeoutError:
                raise
            except Exception as raised:
                if is_of_disk(raised):  # of this machine: as in a trial, no fit has failed
                    raise
                fault = raised
                losses.append(None)
        known = [loss for loss in losses if loss is not None]
        if fault is not None and not known:
            raise fault
        return {"status": "ok", "loss": sum(known) / len(known), "replica_losses": losses}


def _nothing(*report: Any, **more: Any) -> None:
    """What `report` is where nobody listens."""


def _number(loss: Any) -> float:
    """A loss as a number, also one of numpy, torch or jax."""
    if loss is None or isinstance(loss, str | bool):
        raise TypeError(f"the loss must be a number, the function returned {loss!r}")
    return float(loss)
