"""Reading scans for a report: their trials, whoever wrote them, and what is known of how they were made.

Beside a `tries.json` of hyperparton lies the scan's store. That also knows of running trials, of trials that were
started again, and of those that are not in `tries.json` yet. It is read as a copy, so nothing in a folder is touched;
where it is missing or cannot be read, `tries.json` alone is read. The database of a scan that many join lies elsewhere:
it is opened only if the user names it, as a folder of somebody else may name any.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import isfile
from pathlib import Path
from typing import Any

from hyperparton.errors import HyperpartonError, StoreError
from hyperparton.files import lock_holder
from hyperparton.text import counted
from hyperparton.trials.agreement import entries_in, scan_word
from hyperparton.trials.look import looked_at
from hyperparton.trials.refits import read_refits
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.trial import NEW, RUNNING, Trial
from hyperparton.trials.tries_entry import from_tries, to_tries
from hyperparton.trials.tries_read import read_trials
from hyperparton.trials.verdict import Verdict, verdicts

__all__ = ["Scan", "card_content", "combined", "read_scan", "read_scans"]

#: how far, in seconds, this machine's clock may be ahead of a database's before trials at work seem to be left
_CLOCKS = 60.0


@dataclass(frozen=True)
class Scan:
    """A scan as a report sees it."""

    name: str
    folder: ScanFolder
    trials: tuple[Trial, ...]
    runcard: str | None = None
    """the card's text"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """engine, seed, replicas, versions, ... as far as they are known"""
    total: int | None = None
    """trials that were asked for"""
    notes: tuple[str, ...] = ()
    """what a reader should know of how it was read"""
    verdicts: tuple[Verdict, ...] = ()
    """on the trials that were fitted again, the best first"""
    space: Any = None
    """the search space as `space.tree.describe` writes it; None where only a card may tell it"""
    own: int | None = None
    """the trial that has the runcard's own parameters, as near as the space has them, if it is known"""

    @property
    def path(self) -> Path:
        """Its `tries.json`."""
        return self.folder.tries


def read_scans(paths: Sequence[str | Path], store: str | StoreURL | None = None) -> list[Scan]:
    """The scans of several folders or files, each with a name of its own; raises StoreError.

    `store` is the URL of the store that those joined which have none of their own.
    """
    scans = [scan for path in paths for scan in _scans_at(Path(path), store)]
    names = [scan.name for scan in scans]
    if len(scans) == 1:
        return scans
    return [
        _named(scan, scan.name if names.count(scan.name) == 1 else f"{scan.name}-{i + 1}")
        for i, scan in enumerate(scans)
    ]


def combined(scans: Sequence[Scan]) -> list[Trial]:
    """The trials of all scans, in the order of the scans and of the trials' numbers."""
    return [trial for scan in scans for trial in scan.trials]


def card_content(scan: Scan) -> Mapping[str, Any] | None:
    """What the card of a scan holds, each key in its place and with the defaults of those that losses depend on.

    None without one, or where it is no YAML.
    """
    if scan.runcard is None:
        return None
    from hyperparton.report.card_defaults import completed_content  # a report of one function needs no cards

    try:
        return completed_content(scan.runcard)
    except HyperpartonError:
        return None


def _named(scan: Scan, name: str) -> Scan:
    return replace(scan, name=name, trials=tuple(replace(trial, scan=name) for trial in scan.trials))


def _scans_at(path: Path, store: str | StoreURL | None) -> list[Scan]:
    folders = ScanFolder.find_all(path)
    if len(folders) == 1:
        return [_read(folders[0], _label(path, folders[0]), store)]
    return [_read(folder, f"{path.resolve().name}/{folder.replica.name}", store) for folder in folders]


def read_scan(path: str | Path, store: str | StoreURL | None = None) -> Scan:
    """The scan of a folder or of a `tries.json`; raises StoreError if there is none or it cannot be read.

    `store` is the URL of the store that it joined, if it has none of its own.
    """
    folder = ScanFolder.find_all(path)[0]
    return _read(folder, _label(Path(path), folder), store)


def _read(folder: ScanFolder, name: str, store: str | StoreURL | None) -> Scan:
    notes: list[str] = []
    trials, metadata = _from_store(folder, store, notes)
    if trials is None:
        trials = read_trials(folder.tries) if isfile(folder.tries) else []
    return Scan(
        name=name,
        folder=folder,
        trials=tuple(trials),
        runcard=_text(folder.runcard),
        settings=_settings(metadata.get("scan", {})),
        total=_total(folder, metadata, notes),
        verdicts=_verdicts(folder, trials, notes),
        notes=tuple(notes),
        space=metadata.get("scan", {}).get("space"),
    )


def _total(folder: ScanFolder, metadata: Mapping[str, Any], notes: list[str]) -> int | None:
    """The trials that were asked for; None, with a note, if `progress.json` is of another scan than the store."""
    kept = metadata.get("scan")
    if isinstance(kept, Mapping) and folder.of_another_scan(scan_word(kept)):
        notes.append(
            f"{folder.progress.name} is of another scan than the trials, so it is not known how many were asked for; "
            "the next start writes it anew"
        )
        return None
    return folder.asked_for()


def _verdicts(folder: ScanFolder, trials: Sequence[Trial], notes: list[str]) -> tuple[Verdict, ...]:
    """On the trials that were fitted again; re-fits that cannot be read are a note, and the trials are shown."""
    try:
        return tuple(verdicts(read_refits(folder.tries, trials)))
    except StoreError as fault:
        notes.append(f"the re-fits are not shown: {fault}")
        return ()


def _text(path: Path) -> str | None:
    """What is in the card's file, bytes that are no UTF-8 as marks; None without one that can be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if isfile(path) else None
    except OSError:
        return None


def _label(path: Path, folder: ScanFolder) -> str:
    if isfile(path) and folder.path == path.parent:
        return path.resolve().stem
    return folder.path.resolve().name


def _from_store(
    folder: ScanFolder, url: str | StoreURL | None, notes: list[str]
) -> tuple[list[Trial] | None, dict[str, Any]]:
    """The trials of the scan's store as `tries.json` would have them, and its metadata; None without a store."""
    file = folder.store_inside()
    if file is None and url is None:
        if (joined := folder.joined_store()) is not None:
            asked = f": --store {shlex.quote(joined)} reads it" if joined.isprintable() else ""
            notes.append(f"the scan joined a store elsewhere, which may be further than this folder{asked}")
        return None, {}
    # before the store, which is ahead of it while the scan is at work
    named = entries_in(folder.tries)
    try:
        with looked_at(url or "" if file is None else file) as store:
            known = {trial.number: trial for trial in store.trials()}
            if named > len(known):
                notes.append(
                    f"{folder.tries.name} names {counted(named, 'finished trial')}, the store has {len(known)}: they "
                    "do not belong together, or one is damaged; shown is the former"
                )
                return None, store.metadata()
            for number in range(store.next_number()):
                if number not in known:
                    known[number] = store.get(number)
            metadata = store.metadata()
    except StoreError as fault:
        if not isfile(folder.tries):
            raise
        notes.append(f"the store could not be read, so running trials are not shown: {fault}")
        return None, {}
    # a scan of its own works while its folder is locked
    ended = file == folder.store and lock_holder(folder.lock).held is False
    return [_as_written(known[number], ended) for number in sorted(known)], metadata


def _as_written(trial: Trial, ended: bool) -> Trial:
    """As `tries.json` would have it; one whose process ended, or no longer renews its lease, waits for another."""
    late = trial.lease_end is not None and trial.lease_end < time.time() - _CLOCKS
    left = trial.state == RUNNING and (ended or late)
    written = from_tries(to_tries(replace(trial, state=NEW) if left else trial))
    return replace(written, attempts=trial.attempts)


def _settings(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a repetition needs to know, from what the scan kept; the runcard's own sections are in the runcard."""
    settings = {key: value for key, value in dict(kept.get("settings", {})).items() if key != "space"}
    metadata = dict(kept.get("metadata", {}))
    notes = dict(metadata.pop("notes", {}))
    versions = notes.get("versions", {})
    settings |= {"points": notes["points"]} if "points" in notes else {}
    settings |= {key: value for key, value in metadata.items() if not key.startswith("runcard: ")}
    return settings | {f"version of {name}": version for name, version in versions.items()}
