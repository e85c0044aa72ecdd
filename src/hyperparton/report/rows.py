"""What a report knows of a scan: its trials in one flat form, whoever wrote them.

Beside a `tries.json` of hyperparton lies the scan's store, or the folder names the database of a scan that many join.
That also knows of running trials, of trials that were started again, and of those that are not in `tries.json` yet. It
is only read, so a scan at work is not disturbed; where it is missing or cannot be opened, `tries.json` alone is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hyperparton.errors import StoreError
from hyperparton.report.flatten import flat_values, fold_lists, is_number
from hyperparton.trials import Trial, TrialStore, read_tries, to_tries
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import DONE, NEW, RUNNING

__all__ = ["Row", "Scan", "combined", "read_scan", "read_scans", "row_of_entry"]

_LOG = logging.getLogger(__name__)

#: how far, in seconds, this machine's clock may be ahead of a database's before trials at work seem to be left
_CLOCKS = 60.0

#: the cause of trials that were stopped before their end
_PRUNED = "pruned"

_STATES = {NEW: "waiting", RUNNING: "running", DONE: "done"}


@dataclass(frozen=True)
class Row:
    """One trial. Times are seconds since 1970, UTC; a number that the trial does not have is None."""

    scan: str
    number: int
    state: str
    """waiting, running, ok or fail"""
    values: Mapping[str, Any]
    """hyperparameter -> value, without nesting; None where it does not apply"""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """the same as a runcard writes them"""
    loss: float | None = None
    validation_loss: float | None = None
    experimental_loss: float | None = None
    folds: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """chi2, phi2, logp (of the hidden fold), chi2exp (of the fitted data) -> (fold,)"""
    replicas: Mapping[str, Sequence[Sequence[float | None]]] = field(default_factory=dict)
    """validation, experimental, hyper -> (fold, rep)"""
    folds_fitted: int = 0
    """how many folds were fitted, those that did not count with them"""
    cause: str | None = None
    """the kind of a failure"""
    reason: str | None = None
    """why it failed, or was stopped, in a line"""
    epochs_saved: int | None = None
    """how many epochs at most a trial that was stopped before its end was spared"""
    owner: str | None = None
    begin: float | None = None
    end: float | None = None
    attempts: int = 1

    @property
    def ok(self) -> bool:
        return self.state == "ok"

    @property
    def pruned(self) -> bool:
        """Whether it was stopped because it could not become one of the best; its state is fail."""
        return self.cause == _PRUNED

    @property
    def finished(self) -> bool:
        return self.state in ("ok", "fail")

    @property
    def seconds(self) -> float | None:
        """How long it ran, from its booking to its end."""
        return None if self.begin is None or self.end is None else self.end - self.begin

    @property
    def name(self) -> str:
        """How messages and figures call it among all combined scans."""
        return f"{self.scan}:{self.number}" if self.scan else str(self.number)


@dataclass(frozen=True)
class Scan:
    """A scan as a report sees it."""

    name: str
    path: Path
    """its `tries.json`"""
    rows: tuple[Row, ...]
    runcard: str | None = None
    """the card's text"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """engine, seed, replicas, versions, ... as far as they are known"""
    total: int | None = None
    """trials that were asked for"""
    notes: tuple[str, ...] = ()
    """what a reader should know of how it was read"""


def read_scans(paths: Sequence[str | Path]) -> list[Scan]:
    """The scans of several folders or files, each with a name of its own; raises StoreError."""
    scans = [scan for path in paths for scan in _scans_at(Path(path))]
    names = [scan.name for scan in scans]
    if len(scans) == 1:
        return [_named(scans[0], "")]
    return [
        _named(scan, scan.name if names.count(scan.name) == 1 else f"{scan.name}-{i + 1}")
        for i, scan in enumerate(scans)
    ]


def combined(scans: Sequence[Scan]) -> list[Row]:
    """The trials of all scans, in the order of the scans and of the trials' numbers."""
    return [row for scan in scans for row in scan.rows]


def _named(scan: Scan, name: str) -> Scan:
    return replace(scan, name=name or scan.name, rows=tuple(replace(row, scan=name) for row in scan.rows))


def _scans_at(path: Path) -> list[Scan]:
    """One scan, or one for each replica folder that holds trials, as parallel scans of n3fit leave them."""
    several = sorted(path.glob("nnfit/replica_*/tries.json")) if path.is_dir() else []
    if len(several) > 1:
        return [read_scan(found, name=f"{path.resolve().name}/{found.parent.name}") for found in several]
    return [read_scan(path)]


def read_scan(path: str | Path, name: str | None = None) -> Scan:
    """The scan of a folder or of a `tries.json`; raises StoreError if there is none or it cannot be read."""
    given = Path(path)
    if given.is_dir() and not _has_tries(given) and _has_store(given):
        tries = ScanFolder(given).tries  # a scan whose first trial is running
    else:
        tries = ScanFolder.find_tries(given)
    folder = tries.parent.parent.parent if tries.parent.name.startswith("replica_") else tries.parent
    notes: list[str] = []
    entries, metadata = _from_store(tries, folder, notes)
    if entries is None:
        entries = [(entry, 1) for entry in read_tries(tries)]
    rows = tuple(row_of_entry(entry, attempts) for entry, attempts in entries)
    kept = metadata.get("scan", {})
    card = folder / "filter.yml"
    return Scan(
        name=name or _label(given, folder),
        path=tries,
        rows=rows,
        runcard=card.read_text(encoding="utf-8") if card.is_file() else None,
        settings=_settings(kept),
        total=ScanFolder(folder).asked_for(),
        notes=tuple(notes),
    )


def _has_tries(folder: Path) -> bool:
    try:
        ScanFolder.find_tries(folder)
    except StoreError:
        return False
    return True


def _has_store(folder: Path) -> bool:
    own = folder / "nnfit" / "replica_1" / "tries.sqlite"
    return own.is_file() or ScanFolder(folder).joined_store() is not None


def _label(given: Path, folder: Path) -> str:
    if given.is_file() and folder == given.parent:
        return given.resolve().stem
    return folder.resolve().name


def _from_store(
    tries: Path, folder: Path, notes: list[str]
) -> tuple[list[tuple[dict[str, Any], int]] | None, dict[str, Any]]:
    """The trials of the scan's store as entries of `tries.json`, each with its attempts; None without a store."""
    place, url = tries.with_name("tries.sqlite"), ScanFolder(folder).joined_store()
    if not place.is_file() and url is None:
        return None, {}
    try:
        with _opened(place, url) as store:
            done = {trial.number: trial for trial in store.trials()}
            for number in range(store.next_number()):
                if number not in done:
                    done[number] = store.get(number)
            metadata = store.metadata()
    except StoreError as fault:
        if not tries.is_file():
            raise
        notes.append(f"the store could not be read, so running trials are not shown: {fault}")
        return None, {}
    return [(_entry(done[number]), done[number].attempts) for number in sorted(done)], metadata


def _entry(trial: Trial) -> dict[str, Any]:
    """As `tries.json` would have it; one whose process no longer renews its lease waits for another."""
    left = trial.state == RUNNING and trial.lease_end is not None and trial.lease_end < time.time() - _CLOCKS
    return to_tries(replace(trial, state=NEW) if left else trial)


def _opened(place: Path, url: str | None) -> TrialStore:
    """The store of the folder itself, which only one process may write, or else the one that it names."""
    if place.is_file():
        from hyperparton.trials.sql import SqlStore

        return SqlStore(f"sqlite:///file:{quote(str(place.resolve()))}?mode=ro&uri=true", create=False, name=str(place))
    from hyperparton.trials.shared_folder import open_store

    assert url is not None
    return open_store(url, create=False)


def _settings(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a repetition needs to know, from what the scan kept; the runcard's own sections are in the runcard."""
    found = {key: value for key, value in dict(kept.get("settings", {})).items() if key != "space"}
    metadata = dict(kept.get("metadata", {}))
    versions = dict(metadata.pop("notes", {})).get("versions", {})
    found |= {key: value for key, value in metadata.items() if not key.startswith("runcard: ")}
    return found | {f"version of {name}": version for name, version in versions.items()}


def row_of_entry(entry: Mapping[str, Any], attempts: int = 1) -> Row:
    """The flat form of an entry of `tries.json`."""
    result, misc = entry["result"], entry["misc"]
    meta = result.get("kfold_meta") or {}
    status = result.get("status")
    state = status if status in ("ok", "fail") else _STATES.get(entry.get("state", NEW), "waiting")
    loss = _number(result.get("loss"))
    if state == "ok" and loss is None:
        state = "fail"  # n3fit may write status ok beside a loss that is no number
    cause, reason = _failure(result, loss) if state == "fail" else (None, None)
    folds, replicas = fold_lists(meta)
    return Row(
        scan="",
        number=int(entry.get("tid", misc.get("tid", 0))),
        state=state,
        values=flat_values(misc.get("space_vals") or {}, misc.get("vals") or {}),
        parameters=misc.get("space_vals") or {},
        loss=loss,
        validation_loss=_number(result.get("validation_loss")),
        experimental_loss=_number(result.get("experimental_loss")),
        folds=folds,
        replicas=replicas,
        folds_fitted=_folds_fitted(meta),
        cause=cause,
        reason=reason,
        epochs_saved=(result.get("pruned") or {}).get("epochs_saved"),
        owner=_owner(entry.get("owner")),
        begin=_seconds(entry.get("book_time")),
        end=_seconds(entry.get("refresh_time")) if state in ("ok", "fail") else None,
        attempts=attempts,
    )


def _folds_fitted(meta: Mapping[str, Any]) -> int:
    parts = (meta, meta.get("beyond_threshold") or {})
    return sum(len(part["validation_losses"]) for part in parts if isinstance(part.get("validation_losses"), list))


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _failure(result: Mapping[str, Any], loss: float | None) -> tuple[str, str]:
    if result.get("pruned"):
        return _PRUNED, str(result.get("reason"))
    failure = result.get("failure")
    if isinstance(failure, Mapping):
        kind = str(failure.get("type"))
        return kind, f"{kind}: {failure.get('message')}"
    told = result.get("reason")
    if told:
        return ("over the threshold" if "threshold" in str(told) else "told by the trainer"), str(told)
    shown = "none" if loss is None else f"{loss:.4g}"
    return "status fail", f"the trainer gave status fail (loss {shown})"


def _owner(given: Any) -> str | None:
    """Who ran a trial; hyperopt's workers on a MongoDB write a list of one name."""
    if isinstance(given, list):
        return " ".join(map(str, given)) or None
    return None if given is None else str(given)


def _seconds(text: Any) -> float | None:
    """hyperopt's times are text in UTC, such as `2026-01-31 12:00:00.500000`."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
