"""`run_scan`: a scan from its space to its best trial, continued if the folder holds a part of it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Mapping
from functools import partial
from os.path import isfile  # Path's own raises where a name is too long
from pathlib import Path
from typing import Any

from hyperparton.engines import Engine, get_engine, trial_seed
from hyperparton.errors import EngineError, ScanError
from hyperparton.scan.confirm import LACKS_REFIT, Confirmation, check_confirm
from hyperparton.scan.early_stop import EarlyStop
from hyperparton.scan.events import Events, Progress, RefitEvents
from hyperparton.scan.executor_choice import executor_of
from hyperparton.scan.executors import Executor, Job
from hyperparton.scan.history import History
from hyperparton.scan.leases import Leases
from hyperparton.scan.limits import Crashes, Deadline, FailureCount
from hyperparton.scan.loop import Loop, Work
from hyperparton.scan.pruning import Thresholds
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.scouts import Scouts
from hyperparton.scan.settings import Execution, ScanSettings, agreed_lag
from hyperparton.scan.stores import closing, open_refits, open_trials, patience_with, try_joined_refits, try_own_refits
from hyperparton.scan.suggest import Suggester
from hyperparton.scan.trainer import Trainer, adapted
from hyperparton.scan.trial_queue import TrialQueue
from hyperparton.scan.warm_start import kept_prior, prior_of, read_prior
from hyperparton.scan.worker_process import Recipe
from hyperparton.space.tree import samplers_by_label
from hyperparton.text import counted
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Outcome, Trial

__all__ = ["run_scan"]

#: the lag of a scan that many processes may join, where none is asked for
_JOINED_LAG = 16


def run_scan(
    folder: str | Path,
    trainer: Trainer | Recipe,
    scanner: HyperScanner,
    trials: int,
    *,
    settings: ScanSettings | None = None,
    execution: Execution | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the scan up to `trials` trials in total and return the full parameters of the best.

    At its end the best trials are fitted again with other replicas, if the trainer can; the best is then the one with
    the best re-fits.

    `folder` holds `tries.json` and the state to continue from. The trials run one after the other in this process, or
    in a process beside it if `trainer` is a Recipe; several at once, on this machine or a cluster, need a Recipe. The
    seed of trial n depends on the scan's seed and n only, so a scan that was killed and continued equals one that was
    not. A pruned trial has status fail, the loss that it had then, and `pruned` in its result.

    `progress` is called with dictionaries:

    - `{"event": "trial_started", tid, total, params}`;
    - `{"event": "trial_finished", tid, total, done, status, loss, reason, seconds, best, best_tid}`, with `pruned` for
      a trial that was pruned and the `traceback` of one whose trainer raised; `done` is how many are finished, `best`
      the lowest loss so far, None while there is none;
    - `{"event": "trial_progress", tid, total, ...}`, what the trainer of another process reports;
    - `{"event": "prior", trials, notes}`: how many trials of earlier scans the engine learns from, a line on each file;
    - `{"event": "scan_ended", reason}` if early stopping ended the scan;
    - `{"event": "confirm_started", trials, fits}`: re-fits begin with so many of the best trials, and take so many fits
      of replicas at most; `refit_started`, `refit_progress` and `refit_finished` with `tid` and `replicas`, the numbers
      of those; `{"event": "confirmed", verdicts}` with a dictionary for each of these trials, the best methodology
      first; or `{"event": "confirm_skipped", reason}`.

    Raises StoreError (folder in use, damaged, or of another scan), ScanError (no trial succeeded, no trainer can be
    built), its subclass NodeError (this machine cannot build the trainer: no trial is booked), TooManyFailuresError and
    WalltimeError by the limits, SpaceError or EngineError (nothing to scan, unknown engine).
    """
    execution = execution or Execution()
    _check_request(trainer, scanner, trials, execution)
    settings = (settings or ScanSettings()).filled_in(scanner)
    _check_lag(settings.lag or execution.batch_trials, execution.batch_trials, "asked for")
    engine = _engine(settings, execution)
    events, deadline = Events(progress, trials), Deadline(execution.limits.walltime)
    job = Job(scanner, settings.rule is not None, execution.limits, deadline, events)
    _refuse_early(folder, execution, settings, scanner)
    stack, at_work, refits_at_work = contextlib.ExitStack(), contextlib.ExitStack(), contextlib.ExitStack()
    with executor_of(trainer, execution) as executor, stack, at_work:
        # before the store is opened, so that a machine that cannot build a trainer touches no scan
        at_work.enter_context(executor.at_work(job))
        check_confirm(execution, executor)
        agree = partial(_agree, scanner=scanner, settings=settings, execution=execution, slots=executor.slots)
        refits_come = executor.refits and execution.confirm != 0
        if refits_come:
            try_joined_refits(folder, execution)
        store, (lag, earlier, notes) = open_trials(folder, execution, deadline, agree)
        stack.enter_context(closing(store))
        if refits_come:
            try_own_refits(folder, execution)
        if notes:
            events.earlier_trials(len(earlier), notes)
        history = History(store)
        scouting = _is_scouting(store, engine, refits_come, executor)
        scouts = Scouts(scanner.as_dict(), lag, trials, store, history) if scouting else None
        own = _own(store, engine, scanner, settings.seed)
        suggester = Suggester(engine, scanner.as_dict(), settings.seed, lag, history, earlier, scouts, own)
        leases = Leases(store, trials, execution.lease if store.shared else None)
        early_stop, crashes = EarlyStop(execution.early_stopping, suggester, store, leases.owner), Crashes(store)
        batch = execution.batch_trials
        queue = TrialQueue(scanner, store, trials, batch, leases, suggester, early_stop, crashes, events)
        thresholds = Thresholds(settings.rule, scanner.as_dict(), lag, store)
        failures = FailureCount(execution.limits.max_consecutive_failures)
        work = Work(queue, thresholds, leases, history, early_stop, crashes, failures, events)
        confirmation = Confirmation(
            scanner.as_dict(), executor, execution, deadline, RefitEvents(progress),
            partial(open_refits, folder, execution, deadline), asked_for=() if own is None else (0,),
        )  # fmt: skip

        joining = None if scouts is None else partial(confirmation.scouting, store, scouts, refits_at_work)
        with leases, refits_at_work, at_work:  # what runs is ended, then released
            Loop([work], executor, deadline, joining).run()
            refits_at_work.close()
            if queue.stop_reason is not None:
                events.scan_ended(queue.stop_reason)
            found = confirmation.run(store, scouts.refits if scouts is not None else ())
        return scanner.space_eval(store.get(found[0].trial) if found else _best(store))


def _is_scouting(store: TrialStore, engine: Engine, refits_come: bool, executor: Executor) -> bool:
    """Whether this scan makes re-fits while it searches, as it was begun."""
    useful = engine.learns_from_refits and refits_come
    # a scan that was begun by a version without them goes on without them
    kept = store.attach_first("scouts", useful and store.next_number() == 0)
    if kept and not executor.refits:
        raise ScanError(f"the scan was begun with re-fits while it searches: {LACKS_REFIT}")
    return bool(kept)


def _own(store: TrialStore, engine: Engine, scanner: HyperScanner, seed: int) -> Mapping[str, Any] | None:
    """The vals of the user's own methodology, if this scan begins with it, as it was begun."""
    # a scan that was begun by a version without it goes on without it
    begins = engine.begins_with_own and store.next_number() == 0
    if begins and (own := scanner.own_vals(trial_seed(seed, 0))) is not None:
        return store.attach_first("own", own)
    return store.metadata().get("own")


def _check_request(trainer: Any, scanner: Any, trials: Any, execution: Execution) -> None:
    if not isinstance(scanner, HyperScanner):
        raise ScanError(f"a scan needs a HyperScanner, given {type(scanner).__name__}")
    if not isinstance(trials, int) or trials < 1:
        raise ScanError(f"the number of trials must be a whole number of at least 1, given {trials!r}")
    if not samplers_by_label(scanner.as_dict()):
        raise ScanError("hyperscan_config holds no range and no choice: there is nothing to scan")
    if isinstance(trainer, Recipe):
        return
    adapted(trainer)
    limits = execution.limits
    timed = limits.trial_timeout is not None or limits.walltime is not None
    if timed and threading.current_thread() is not threading.main_thread():
        raise ScanError("a time limit on trials of this process needs the main thread; or give a Recipe")
    if limits.worker_memory is not None:
        raise ScanError("a limit on memory needs a process that can be ended: give a Recipe, not a trainer")
    if execution.workers is not None or execution.scheduler is not None:
        raise ScanError("workers build a trainer of their own: give a Recipe, not a trainer")


def _check_lag(lag: int, batch_trials: int, whose: str) -> None:
    if lag < batch_trials:
        raise ScanError(
            "batch_trials can be at most the lag of the scan, as trial n is suggested from the trials up to n - lag; "
            f"given {batch_trials}, the lag {whose} is {lag}"
        )


def _engine(settings: ScanSettings, execution: Execution) -> Engine:
    engine = get_engine(settings.engine, settings.seed)
    if execution.early_stopping.min_improvement is not None and not engine.predicts_improvement:
        raise EngineError(f"the engine {settings.engine} cannot tell what improvement it expects")
    return engine


def _refuse_early(folder: str | Path, execution: Execution, settings: ScanSettings, scanner: HyperScanner) -> None:
    """Raise what speaks against a scan that was not begun yet, before anything is made for it."""
    from hyperparton.trials.shared_folder import look_before_joining

    if execution.store is None:
        begun = isfile(ScanFolder.of_tries(Path(folder) / "tries.json").store)
    else:
        begun = patience_with(execution).ask(partial(look_before_joining, execution.store, folder))
    if settings.warm_start and not begun:
        read_prior(settings.warm_start, scanner.as_dict())


def _agree(
    store: TrialStore, *, scanner: HyperScanner, settings: ScanSettings, execution: Execution, slots: int
) -> tuple[int, tuple[Outcome, ...], list[str]]:
    """The scan's lag, the trials of earlier scans and notes on them: asked for, or what the scan was begun with."""
    space = scanner.as_dict()
    earlier = prior_of(store, settings.warm_start, space)
    usual = slots * execution.batch_trials
    lag = agreed_lag(store, scanner, settings, max(usual, _JOINED_LAG) if store.shared else usual)
    _check_lag(lag, execution.batch_trials, "that the scan was begun with")
    return lag, tuple(kept_prior(store, earlier, space)), list(earlier.get("notes", ()))


def _best(store: TrialStore) -> Trial:
    """The best trial; ScanError with the reasons if all failed."""
    best = store.best()
    if best is None:
        reasons = Counter(trial.reason or "unknown" for trial in store.trials())
        listed = "\n".join(f"  {count} x {reason}" for reason, count in reasons.most_common(5))
        raise ScanError(
            f"of {counted(reasons.total(), 'trial')} none succeeded, so there is no best one; the reasons:\n{listed}"
        )
    return best
