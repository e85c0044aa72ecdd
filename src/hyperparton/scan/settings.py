"""A scan's settings: `ScanSettings`, which say what it is, and `Execution`, which says how it is run.

What a scan is, is kept in its store at the first start and compared at each later one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from hyperparton.engines import check_engine
from hyperparton.errors import ScanError, StoreError, unknown
from hyperparton.scan.early_stop import EarlyStopping
from hyperparton.scan.limits import Limits
from hyperparton.scan.pruning import Rule
from hyperparton.scan.scanner import HyperScanner
from hyperparton.space.tree import describe, fingerprint
from hyperparton.trials.agreement import scan_word
from hyperparton.trials.store import TrialStore
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.strict_json import strict

Settings = TypeVar("Settings", bound="ScanSettings | Execution | Limits | EarlyStopping")

__all__ = ["Execution", "ScanSettings", "agree_on_fits", "agreed_lag", "settings_of", "taken_from", "word_of"]

#: the store keeps what the scan is under this, with notes that are shown and not compared: a comment in the card's text
#: changes no trial
_KEY, _NOTES = "scan", "notes"

#: under which a store of re-fits keeps what they are of, where the scan has no store that does
_FITS = "fits"


@dataclass(frozen=True)
class ScanSettings:
    """What a scan is, beside its search space and its number of trials: with the same settings it has the same trials.

    They are kept with the scan. Who continues it must ask for the same, or StoreError says what differs. Raises
    ScanError for a seed that is no whole number of at least 0, and for a lag that is none of at least 1.
    """

    engine: str = "gp"
    """name of the engine that suggests the trials, as `get_engine` takes it"""
    seed: int = 42
    """seed of the scan; that of trial n follows from it and n"""
    lag: int | None = None
    """trial n is suggested from the trials up to n - lag; by default as many as run at once, at least 16 in a database
    that many processes join, and what it was begun with for a scan that is continued"""
    prune: bool | Rule | None = None
    """whether trials are stopped that cannot become one of the best, or by which rule; by default what
    `hyperscan_config` says"""
    warm_start: Sequence[str | Path] = ()
    """folders of earlier scans, ours or n3fit's, whose trials the engine learns from; by default those that
    `hyperscan_config` names. They are read at the first start and kept"""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """strict JSON data that is kept with the scan: what else must be the same, and under `notes` what need not"""

    def __post_init__(self) -> None:
        _whole("seed", self.seed, least=0)
        if self.lag is not None:
            _whole("lag", self.lag)

    @property
    def rule(self) -> Rule | None:
        """The rule by which trials are pruned; None if they are not."""
        return Rule() if self.prune is True else self.prune or None

    def filled_in(self, scanner: HyperScanner) -> ScanSettings:
        """With what the scan's `hyperscan_config` says in the place of defaults."""
        prune = scanner.prune if self.prune is None else self.prune
        earlier = self.warm_start or scanner.use_tries_from
        return replace(self, prune=prune, warm_start=tuple(str(source) for source in earlier))

    def identity(self) -> dict[str, Any]:
        """What is kept and compared, beside `metadata`; what is not used is left out."""
        kept: dict[str, Any] = {"seed": self.seed, "engine": self.engine, "lag": self.lag}
        if self.rule is not None:
            kept["prune"] = asdict(self.rule)
        if self.warm_start:
            kept["prior"] = [Path(source).name for source in self.warm_start]
        return kept


@dataclass(frozen=True)
class Execution:
    """How a scan is run; none of this changes its trials, but a `confirm` of 0 when it is begun (see `scouts`).

    Raises ScanError for `workers` or `batch_trials` that are no whole numbers of at least 1, for a lease that is not
    above 0 or a `store_timeout` below 0, and StoreError for a `store` that is no URL of one.
    """

    workers: int | None = None
    """how many batches of trials run at once, each in a process of its own; by default one"""
    scheduler: str | None = None
    """address of a Dask scheduler whose cluster runs the trials; by default they run on this machine"""
    store: str | StoreURL | None = None
    """URL of a database that any number of processes may join: sqlite:///FILE, postgresql://… or mongodb://…; by
    default the trials are kept in the scan's folder, for one process at a time"""
    lease: float = 60.0
    """seconds after which the trial of a process that does not answer any more is another's; for `store`"""
    store_timeout: float = 600.0
    """seconds for which a `store` that does not answer any more is waited for; 0 is not at all"""
    batch_trials: int = 1
    """how many trials the trainer computes together (see `BatchTrainer`); at most the lag"""
    confirm: int | None = None
    """how many of the best trials are fitted again at the end, with replicas that the scan has not used: at least 2, or
    0 for none, while it searches too; by default so many that this takes no more fits than the scan itself"""
    limits: Limits = field(default_factory=Limits)
    """what trials and the scan may take"""
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    """what ends the scan before its number of trials"""

    def __post_init__(self) -> None:
        _whole("batch_trials", self.batch_trials)
        if self.workers is not None:
            _whole("workers", self.workers)
        if self.confirm is not None and (not isinstance(self.confirm, int) or self.confirm < 0 or self.confirm == 1):
            raise ScanError(f"confirm must be a whole number of at least 2, or 0, given {self.confirm!r}")
        if self.store is not None:  # as a StoreURL it shows no password
            object.__setattr__(self, "store", StoreURL.parse(self.store))
        if not self.lease > 0:
            raise ScanError(f"lease must be above 0, given {self.lease!r}")
        if not self.store_timeout >= 0:
            raise ScanError(f"store_timeout must be at least 0, given {self.store_timeout!r}")


def taken_from(options: dict[str, Any], settings: type[Settings]) -> Settings:
    """`settings` of the options that are fields of it, which are taken out of `options`."""
    names = [each.name for each in fields(settings) if each.name in options]
    return settings(**{name: options.pop(name) for name in names})


def settings_of(options: Mapping[str, Any]) -> tuple[ScanSettings, Execution]:
    """Both from the fields of either by their names; raises ScanError for a name that is none of these."""
    rest = dict(options)
    settings, execution = taken_from(rest, ScanSettings), taken_from(rest, Execution)
    if rest:
        accepted = [each.name for kind in (ScanSettings, Execution) for each in fields(kind)]
        raise ScanError(unknown("option", min(rest), accepted))
    return settings, execution


def _whole(name: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, int) or value < least:
        raise ScanError(f"{name} must be a whole number of at least {least}, given {value!r}")


def agreed_lag(store: TrialStore, scanner: HyperScanner, settings: ScanSettings, usual_lag: int) -> int:
    """Keep what the scan is, at its first start; raise StoreError if a later one asks for another scan.

    Raises EngineError if it was begun with an engine that is gone. Gives the scan's lag: what was asked for, else what
    it was begun with, else the usual one.
    """
    asked = _asked(scanner, settings)
    asked["settings"]["lag"] = settings.lag or usual_lag
    kept = store.attach_first(_KEY, asked)
    if not _is_whole(kept):
        raise StoreError(f"{store.name}: the store is damaged: what it keeps of the scan is not as it was written")
    check_engine(kept["settings"]["engine"])
    if settings.lag is None:
        asked["settings"]["lag"] = kept["settings"]["lag"]
    faults = _differences(kept, asked)
    if faults:
        what, other = "; ".join(faults), "database" if store.shared else "folder"
        raise StoreError(
            f"{store.name}: holds a scan with {what}: continue that one as it is or choose another {other}"
        )
    return kept["settings"]["lag"]


def agree_on_fits(store: TrialStore, metadata: Mapping[str, Any]) -> None:
    """Keep what re-fits are of, card and data, at their first start; raise StoreError if a later one asks for others.

    It is for scans that have no store which keeps it (`agreed_lag`).
    """
    asked = strict(metadata, "metadata")
    kept = store.attach_first(_FITS, asked)
    if not isinstance(kept, Mapping):
        raise StoreError(f"{store.name}: the store is damaged: what it keeps of the re-fits is not as it was written")
    if faults := _other_values(kept, asked):
        raise StoreError(
            f"{store.name}: holds re-fits with {'; '.join(faults)}: continue these as they are, or remove them to "
            "confirm anew"
        )


def _is_whole(kept: Any) -> bool:
    """Whether it has the parts that every scan has; the values in them are compared one by one."""
    parts = ("settings", "space", "metadata")
    if not isinstance(kept, Mapping) or not all(isinstance(kept.get(part), Mapping) for part in parts):
        return False
    settings = kept["settings"]
    types = {"engine": str, "space": str, "lag": int}
    return all(isinstance(settings.get(key), kind) for key, kind in types.items())


def word_of(scanner: HyperScanner, settings: ScanSettings) -> str:
    """The word by which a folder says which scan is in it (see `agreement.scan_word`)."""
    return scan_word(_asked(scanner, settings.filled_in(scanner)))


def _asked(scanner: HyperScanner, settings: ScanSettings) -> dict[str, Any]:
    """What the store keeps of a scan that is begun now."""
    space = scanner.as_dict()
    return {
        "settings": {**settings.identity(), "space": fingerprint(space)},
        "space": describe(space),
        "metadata": strict(settings.metadata, "metadata"),
    }


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    faults = []
    if kept["settings"]["space"] != asked["settings"]["space"]:
        keys = _differing(kept["space"], asked["space"])
        faults.append(f"another search space (it differs in {', '.join(keys)})")
    for part, left_out in (("settings", "space"), ("metadata", _NOTES)):
        faults += _other_values(kept[part], asked[part], left_out)
    return faults


def _other_values(kept: Mapping[str, Any], asked: Mapping[str, Any], left_out: str | None = None) -> list[str]:
    return [
        f"another {key} ({_short(kept.get(key))}, asked for {_short(asked.get(key))})"
        for key in _differing(kept, asked)
        if key != left_out
    ]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key) or (key in one) != (key in other))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
