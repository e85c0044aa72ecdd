"""`hyper_scan_wrapper`: a scan from its space to its best trial, continued if the folder holds a part of it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperparton.engines import check_engine, get_engine
from hyperparton.errors import EngineError, ScanError, StoreError
from hyperparton.scan.early_stop import Ending
from hyperparton.scan.evaluate import Trainer
from hyperparton.scan.executors import Executor, InProcess, InThisProcess, local_cluster, remote_cluster
from hyperparton.scan.foreign import as_scanner
from hyperparton.scan.foreign_trainer import as_trainer
from hyperparton.scan.limits import Limits
from hyperparton.scan.loop import Plan, Progress, Work
from hyperparton.scan.pruning import Rule
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.warm_start import kept_prior, prior_of
from hyperparton.scan.worker_process import Recipe
from hyperparton.space import describe, fingerprint, samplers_by_label
from hyperparton.trials import TrialStore
from hyperparton.trials.trial import strict
from hyperparton.trials.tries_export import ExportedTrials

__all__ = ["Progress", "hyper_scan_wrapper"]

#: kept with the scan and shown, not compared: the card's text (a comment changes no trial), versions
_NOTES = "notes"

#: the lag of a scan that many processes may join, where none is asked for
_JOINED_LAG = 16

#: seconds after which the trial of a process that does not answer any more is another's; renewed while it does
_LEASE = 60.0


def hyper_scan_wrapper(
    replica_path_set: str | Path,
    model_trainer: Trainer | Recipe,
    hyperscanner: HyperScanner | Any,
    max_evals: int = 1,
    *,
    engine: str = "hyperopt",
    seed: int = 42,
    progress: Progress | None = None,
    metadata: Mapping[str, Any] | None = None,
    store: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    lag: int | None = None,
    lease: float = _LEASE,
    limits: Limits | None = None,
    prune: bool | Rule = False,
    prior: Sequence[str | Path] = (),
    ending: Ending | None = None,
    batch_trials: int = 1,
) -> dict[str, Any]:
    """Run the scan up to `max_evals` trials in total and return the best trial's full parameters.

    `replica_path_set` is the folder of `tries.json` and of the state to continue from. `hyperscanner` may be n3fit's:
    this function can stand in the place of n3fit's, and its default engine is the one that n3fit's scan has; that of
    the command line is `optuna`, which needs fewer trials. The seed of trial n depends on `seed` and n only, so a scan
    that was killed and continued equals one that was not. `metadata` (strict JSON data) is kept with the scan; on the
    same folder everything in it but `notes`, and space, seed, engine and lag, must be the same.

    The trials run one after the other in this process, or in a process beside it if `model_trainer` is a Recipe; with
    `workers` as many run at once on this machine, with `scheduler` on the Dask cluster at that address. Both need a
    Recipe. Trial n is suggested from the trials up to n - `lag`, so that the scan does not depend on which of those
    that run at once is faster; `lag` is by default how many run at once, or what the scan was begun with.

    With `batch_trials` so many trials are given to the trainer at a time, which computes them together if it has
    `hyperparametrizable_batch` (see `scan.evaluate`); those of a worker if there are several.

    With `store`, the URL of a database, any number of processes that are given it work on the same scan; by default its
    lag is 16. A trial whose process does not answer for `lease` seconds is run by another.

    With `prune` trials that cannot become one of the best are stopped, by the rule of `scan.pruning` or one with other
    numbers; the trainer needs an attribute `report` (see `scan.reports`). Such a trial has status fail, the loss that
    it had then, and `pruned` in its result.

    `prior` names folders of earlier scans, this program's or n3fit's: those of their trials that lie in this space are
    the first that the engine learns from, by default those that `use_tries_from` of the scanner names. They are read
    at the first start and kept. `progress` hears of them: `{"event": "prior", "trials": how many, "notes": [lines]}`.

    `ending` ends the scan before `max_evals` trials; `progress` hears why: `{"event": "scan_ended", "reason": text}`.

    `progress` is called with `{"event": "trial_started", tid, total, params}` and `{"event": "trial_finished", tid,
    total, done, status, loss, reason, seconds, best, best_tid}`, with `pruned` for a trial that was stopped; `done` is
    how many are finished, `best` the lowest loss so far, None while there is none. A process beside this one tells
    `{"event": "trial_progress", tid, ...}`.

    Raises StoreError (folder in use, damaged, or of another scan), ScanError (no trial succeeded, no trainer can be
    built), TooManyFailuresError and WalltimeError by `limits`, SpaceError or EngineError (nothing to scan, unknown
    engine).
    """
    limits, ending = limits or Limits(), ending or Ending()
    hyperscanner = as_scanner(hyperscanner)
    _check_request(model_trainer, hyperscanner, max_evals, lag, batch_trials, limits)
    suggester = _engine(engine, seed, ending)
    rule = Rule() if prune is True else prune or None
    sources = [str(source) for source in prior or hyperscanner.use_tries_from]
    with (
        _executor(model_trainer, workers, scheduler) as executor,
        contextlib.closing(_trials(replica_path_set, store, hyperscanner)) as trials,
    ):
        earlier = prior_of(trials, sources, hyperscanner.as_dict())
        settings = _settings(seed, engine, lag, rule, sources)
        usual = executor.slots * batch_trials
        usual = max(usual, _JOINED_LAG) if trials.shared else usual
        agreed = _check_identity(trials, hyperscanner, settings, usual, metadata or {})
        _check_lag(agreed, batch_trials, "that the scan was begun with")
        known = kept_prior(trials, earlier, hyperscanner.as_dict())
        if earlier and progress is not None:
            progress({"event": "prior", "trials": len(known), "notes": earlier["notes"]})
        ends = lease if trials.shared else None
        plan = Plan(
            hyperscanner,
            suggester,
            seed,
            max_evals,
            agreed,
            ends,
            limits,
            progress,
            pruning=rule,
            prior=tuple(known),
            ending=ending,
            batch=batch_trials,
        )
        with Work(trials, plan) as work:
            executor.run(work)
        if work.ended is not None and progress is not None:
            progress({"event": "scan_ended", "reason": work.ended})
        best = trials.best()
        if best is None:
            raise ScanError(_all_failed(trials))
        return hyperscanner.space_eval(best)


def _engine(name: str, seed: int, ending: Ending) -> Any:
    engine = get_engine(name, seed)
    if ending.min_improvement is not None and not engine.tells_expected_improvement:
        raise EngineError(f"the engine {name} cannot tell what improvement it expects")
    return engine


def _settings(seed: int, engine: str, lag: int | None, rule: Rule | None, sources: Sequence[str]) -> dict[str, Any]:
    """What a scan is beside its space and its card; what is not used is left out, as scans begun without it have it."""
    settings: dict[str, Any] = {"seed": seed, "engine": engine, "lag": lag}
    if rule is not None:
        settings["prune"] = rule.as_dict()
    if sources:
        settings["prior"] = [Path(source).name for source in sources]
    return settings


def _check_request(
    trainer: Any, scanner: HyperScanner, max_evals: Any, lag: Any, batch_trials: Any, limits: Limits
) -> None:
    wanted = {"max_evals": max_evals, "lag": 1 if lag is None else lag, "batch_trials": batch_trials}
    for name, value in wanted.items():
        if not isinstance(value, int) or value < 1:
            raise ScanError(f"{name} must be a whole number of at least 1, given {value!r}")
    _check_lag(lag or batch_trials, batch_trials, "asked for")
    if not isinstance(trainer, Recipe):
        for method in ("set_hyperopt", "hyperparametrizable"):
            if not callable(getattr(trainer, method, None)):
                raise ScanError(f"a trainer needs the method {method}, {type(trainer).__name__} has none")
        timed = limits.trial_timeout is not None or limits.walltime is not None
        if timed and threading.current_thread() is not threading.main_thread():
            raise ScanError("a time limit on trials of this process needs the main thread; or give a Recipe")
        if limits.worker_memory is not None:
            raise ScanError("a limit on memory needs a process that can be ended: give a Recipe, not a trainer")
    if not samplers_by_label(scanner.as_dict()):
        raise ScanError("hyperscan_config holds no range and no choice: there is nothing to scan")


def _check_lag(lag: int, batch_trials: int, whose: str) -> None:
    if lag < batch_trials:
        raise ScanError(
            "batch_trials can be at most the lag of the scan, as trial n is suggested from the trials up to n - lag; "
            f"given {batch_trials}, the lag {whose} is {lag}"
        )


@contextlib.contextmanager
def _executor(trainer: Trainer | Recipe, workers: int | None, scheduler: str | None) -> Iterator[Executor]:
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise ScanError(f"workers must be a whole number of at least 1, given {workers!r}")
    if not isinstance(trainer, Recipe):
        if workers is not None or scheduler is not None:
            raise ScanError("workers build a trainer of their own: give a Recipe, not a trainer")
        yield InThisProcess(as_trainer(trainer))
    elif scheduler is not None:
        with remote_cluster(trainer, scheduler, workers) as executor:
            yield executor
    elif workers is not None:
        with local_cluster(trainer, workers) as executor:
            yield executor
    else:
        yield InProcess(trainer)


def _trials(folder: str | Path, store: str | None, scanner: HyperScanner) -> ExportedTrials:
    # here, so that reading a space does not load a database
    from hyperparton.trials import FileTrials, JoinedTrials, open_store

    if store is None:
        return FileTrials(folder, parameters=scanner.as_dict())
    opened = open_store(store)
    try:
        return JoinedTrials(opened, folder, scanner.as_dict())
    except BaseException:
        opened.close()
        raise


def _check_identity(
    store: TrialStore,
    scanner: HyperScanner,
    settings: Mapping[str, Any],
    usual_lag: int,
    metadata: Mapping[str, Any],
) -> int:
    """Keep what the scan is at its first start; raise StoreError if a later one asks for another scan.

    Gives the scan's lag: what was asked for, else what it was begun with, else the usual one.
    """
    space = scanner.as_dict()
    asked = {
        "settings": {**settings, "lag": settings["lag"] or usual_lag, "space": fingerprint(space)},
        "space": describe(space),
        "metadata": strict(metadata, "metadata"),
    }
    kept = store.attach_first("scan", asked)
    check_engine(kept["settings"]["engine"])
    if settings["lag"] is None:
        asked["settings"]["lag"] = kept["settings"]["lag"]
    faults = []
    if kept["settings"]["space"] != asked["settings"]["space"]:
        keys = _differing(kept["space"], asked["space"])
        faults.append(f"another search space (it differs in {', '.join(keys)})")
    for part, leave in (("settings", {"space"}), ("metadata", {_NOTES})):
        for key in _differing(kept[part], asked[part]):
            if key not in leave:
                faults.append(
                    f"another {key} ({_short(kept[part].get(key))}, asked for {_short(asked[part].get(key))})"
                )
    if faults:
        told, other = "; ".join(faults), "database" if store.shared else "folder"
        raise StoreError(
            f"{store.name}: holds a scan with {told}: continue that one as it is or choose another {other}"
        )
    return kept["settings"]["lag"]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key) or (key in one) != (key in other))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _all_failed(store: TrialStore) -> str:
    reasons = Counter(trial.reason or "unknown" for trial in store.trials())
    listed = "\n".join(f"  {count} x {reason}" for reason, count in reasons.most_common(5))
    return f"none of {reasons.total()} trials succeeded, so there is no best one; the reasons:\n{listed}"
