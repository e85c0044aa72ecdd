"""What a scan is, kept in its store at the first start and compared at each later one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyperparton.engines import check_engine
from hyperparton.errors import StoreError
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import ScanSettings
from hyperparton.space import describe, fingerprint
from hyperparton.trials import TrialStore
from hyperparton.trials.strict_json import strict

__all__ = ["agreed_lag"]

#: kept with the scan and shown, not compared: the card's text (a comment changes no trial), versions
_NOTES = "notes"

#: the store keeps what the scan is under this
_KEY = "scan"


def agreed_lag(store: TrialStore, scanner: HyperScanner, settings: ScanSettings, usual_lag: int) -> int:
    """Keep what the scan is, at its first start; raise StoreError if a later one asks for another scan.

    Raises EngineError if it was begun with an engine that is gone. Gives the scan's lag: what was asked for, else what
    it was begun with, else the usual one.
    """
    space, identity = scanner.as_dict(), settings.identity()
    asked: dict[str, Any] = {
        "settings": {**identity, "lag": settings.lag or usual_lag, "space": fingerprint(space)},
        "space": describe(space),
        "metadata": strict(settings.metadata, "metadata"),
    }
    kept = store.attach_first(_KEY, asked)
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


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    faults = []
    if kept["settings"]["space"] != asked["settings"]["space"]:
        keys = _differing(kept["space"], asked["space"])
        faults.append(f"another search space (it differs in {', '.join(keys)})")
    for part, left_out in (("settings", {"space"}), ("metadata", {_NOTES})):
        for key in _differing(kept[part], asked[part]):
            if key not in left_out:
                faults.append(
                    f"another {key} ({_short(kept[part].get(key))}, asked for {_short(asked[part].get(key))})"
                )
    return faults


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key) or (key in one) != (key in other))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
