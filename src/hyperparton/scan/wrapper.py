"""`hyper_scan_wrapper`: a scan from its space to its best trial, continued if the folder holds a part of it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hyperparton.engines import get_engine, trial_seed
from hyperparton.errors import ScanError, StoreError
from hyperparton.scan.evaluate import Trainer, evaluate_trial
from hyperparton.scan.executors import run_serially
from hyperparton.scan.scanner import HyperScanner
from hyperparton.space import describe, evaluate, fingerprint, samplers
from hyperparton.trials import Outcome, Trial, TrialStore, owner_name
from hyperparton.trials.record import strict

__all__ = ["Progress", "hyper_scan_wrapper"]

_LOG = logging.getLogger(__name__)

#: receives an event: `event`, `tid` and what is listed at `hyper_scan_wrapper`
Progress = Callable[[dict[str, Any]], None]

#: trial n is suggested from the trials up to n - lag; 1 is the sequential scan
_LAG = 1

#: kept with the scan and shown, not compared: the card's text (a comment changes no trial), versions
_NOTES = "notes"


def hyper_scan_wrapper(
    replica_path_set: str | Path,
    model_trainer: Trainer,
    hyperscanner: HyperScanner,
    max_evals: int = 1,
    *,
    engine: str = "hyperopt",
    seed: int = 42,
    progress: Progress | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run the scan up to `max_evals` trials in total and return the best trial's full parameters.

    `replica_path_set` is the folder of `tries.json` and of the state to continue from. The seed of trial n depends on
    `seed` and n only, so a scan that was killed and continued equals one that was not. `metadata` (strict JSON data) is
    kept with the scan; on the same folder everything in it but `notes`, and space, seed and engine, must be the same.

    `progress` is called with `{"event": "trial_started", tid, total, params}` and `{"event": "trial_finished", tid,
    total, status, loss, reason, seconds, best, best_tid}`; `best` is the lowest loss so far, None while there is none.

    Raises StoreError (folder in use, damaged, or of another scan), ScanError (no trial succeeded), SpaceError or
    EngineError (nothing to scan, unknown engine).
    """
    if not isinstance(max_evals, int) or max_evals < 1:
        raise ScanError(f"max_evals must be a whole number of at least 1, given {max_evals!r}")
    for method in ("set_hyperopt", "hyperparametrizable"):
        if not callable(getattr(model_trainer, method, None)):
            raise ScanError(f"a trainer needs the method {method}, {type(model_trainer).__name__} has none")
    if not samplers(hyperscanner.as_dict()):
        raise ScanError("hyperscan_config holds no range and no choice: there is nothing to scan")
    from hyperparton.trials.file import FileTrials  # here, so that reading a space does not load a database

    suggester = get_engine(engine)
    with FileTrials(replica_path_set, parameters=hyperscanner.as_dict()) as store:
        _check_identity(store, replica_path_set, hyperscanner, {"seed": seed, "engine": engine}, metadata or {})
        model_trainer.set_hyperopt(True, keys=hyperscanner.hyper_keys)
        scan = _Scan(store, suggester, model_trainer, hyperscanner, seed, max_evals, progress)
        run_serially(scan.next_trial, scan.work, scan.finish, scan.give_back)
        best = store.best()
        if best is None:
            raise ScanError(_all_failed(store))
        return hyperscanner.space_eval(best)


class _Scan:
    """The scan at work: what comes next, and what becomes of it."""

    def __init__(
        self,
        store: TrialStore,
        engine: Any,
        trainer: Trainer,
        scanner: HyperScanner,
        seed: int,
        total: int,
        progress: Progress | None,
    ) -> None:
        self._store, self._engine, self._trainer, self._scanner = store, engine, trainer, scanner
        self._seed, self._total, self._progress = seed, total, progress
        self._owner = owner_name()
        self._past: list[Outcome] = []
        best = store.best()
        self._best: tuple[float | None, int | None] = (best.loss, best.number) if best else (None, None)
        self._begun = 0.0

    def next_trial(self) -> Trial | None:
        """A trial that was left unfinished, else a new one, else None."""
        left = self._store.lease(self._owner, stop=self._total)
        if left is not None:
            _LOG.info("trial %d was left unfinished and runs again", left.number)
            return left
        number = self._store.next_number()
        if number >= self._total:
            return None
        self._past += self._store.history(len(self._past), number - _LAG + 1)
        vals = self._engine.suggest(self._scanner.as_dict(), self._past, trial_seed(self._seed, number))
        return self._store.book(number, vals, self._owner, space_vals=self._scanner.space_vals(vals))

    def work(self, trial: Trial) -> dict[str, Any]:
        self._begun = time.monotonic()
        self._tell({"event": "trial_started", "tid": trial.number, "total": self._total, "params": trial.space_vals})
        return evaluate_trial(self._trainer, evaluate(self._scanner.as_dict(), trial.vals))

    def finish(self, trial: Trial, result: dict[str, Any]) -> None:
        number, loss = trial.number, result["loss"]
        if result["status"] == "ok":
            self._store.complete(number, self._owner, result)
            if self._best[0] is None or (loss, number) < self._best:
                self._best = (loss, number)
        else:
            self._store.fail(number, self._owner, result)
        self._tell({
            "event": "trial_finished", "tid": number, "total": self._total, "status": result["status"], "loss": loss,
            "reason": Trial(number, trial.vals, result=result).reason, "seconds": time.monotonic() - self._begun,
            "best": self._best[0], "best_tid": self._best[1],
        })  # fmt: skip

    def give_back(self, trial: Trial) -> None:
        self._store.release(trial.number, self._owner)

    def _tell(self, event: dict[str, Any]) -> None:
        if self._progress is not None:
            self._progress(event)


def _check_identity(
    store: TrialStore,
    folder: str | Path,
    scanner: HyperScanner,
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Keep what the scan is at its first start; raise StoreError if a later one asks for another scan."""
    space = scanner.as_dict()
    asked = {
        "settings": {**settings, "lag": _LAG, "space": fingerprint(space)},
        "space": describe(space),
        "metadata": strict(metadata, "metadata"),
    }
    kept = store.metadata().get("scan")
    if kept is None:
        store.attach("scan", asked)
        return
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
        told = "; ".join(faults)
        raise StoreError(f"{folder}: holds a scan with {told}: continue that one as it is or choose another folder")


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key) or (key in one) != (key in other))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _all_failed(store: TrialStore) -> str:
    reasons = Counter(trial.reason or "unknown" for trial in store.trials())
    listed = "\n".join(f"  {count} x {reason}" for reason, count in reasons.most_common(5))
    return f"none of {reasons.total()} trials succeeded, so there is no best one; the reasons:\n{listed}"
