"""What a result says of its trial: why it failed, and the losses of folds and replicas in `kfold_meta`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hyperparton.errors import StoreError

__all__ = [
    "STATUSES",
    "failure_type",
    "finished_loss",
    "fold_losses",
    "folds_fitted",
    "is_number",
    "number_of",
    "replica_losses",
    "why_failed",
]

STATUSES = ("ok", "fail")

_FOLD_LISTS = {
    "chi2": "hyper_losses_chi2",
    "phi2": "hyper_losses_phi2",
    "logp": "hyper_losses_logp",
    "chi2exp": "trvl_losses_chi2exp",
}
#: as n3fit 4.1.0 called it, which wrote phi2 under this name
_OLDER = {"phi2": "hyper_losses_phi"}
_REPLICA_LISTS = {
    "validation": "validation_losses",
    "experimental": "experimental_losses",
    "hyper": "hyper_losses",
}


def is_number(value: Any) -> bool:
    """Whether it is a finite number; truth values are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number_of(value: Any) -> float | None:
    """The value as a float; None for what is no finite number."""
    return float(value) if is_number(value) else None


def finished_loss(number: int, result: Mapping[str, Any], status: str) -> float | None:
    """The loss of a result that finishes trial `number` with `status`; StoreError if the result is not such a one."""
    loss = result.get("loss")
    if status == "ok" and (result.get("status") != "ok" or not isinstance(loss, float) or not math.isfinite(loss)):
        raise StoreError(f"trial {number}: complete needs status ok and a finite loss, given {loss!r}")
    if status == "fail" and result.get("status") != "fail":
        raise StoreError(f"trial {number}: fail needs status fail, given {result.get('status')!r}")
    return loss


def failure_type(result: Mapping[str, Any]) -> str | None:
    """The type of the failure where the trainer gave no usable result: an exception's name, NaNLoss, ..."""
    failure = result.get("failure")
    return str(failure["type"]) if isinstance(failure, Mapping) and failure.get("type") else None


def why_failed(result: Mapping[str, Any]) -> tuple[str, str]:
    """The cause of a failure, by which failures are counted, and the reason in a line."""
    failure, reason = result.get("failure"), result.get("reason")
    if result.get("pruned"):
        return "pruned", str(reason)
    if isinstance(failure, Mapping):
        return str(failure.get("type")), f"{failure.get('type')}: {failure.get('message')}"
    if reason:
        return ("over the threshold" if "threshold" in str(reason) else "told by the trainer"), str(reason)
    loss = number_of(result.get("loss"))
    return "status fail", f"the trainer gave status fail (loss {'none' if loss is None else f'{loss:.4g}'})"


def fold_losses(meta: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """chi2, phi2, logp (of the hidden fold) and chi2exp (of the fitted data), as far as they are there: (fold,)."""
    keys = {name: key if key in meta else _OLDER.get(name, key) for name, key in _FOLD_LISTS.items()}
    return {name: _numbers(meta[key]) for name, key in keys.items() if isinstance(meta.get(key), list)}


def replica_losses(meta: Mapping[str, Any]) -> dict[str, list[list[float | None]]]:
    """validation, experimental and hyper losses, as far as they are there: (fold, replica)."""
    return {
        name: [_numbers(fold if isinstance(fold, list) else [fold]) for fold in meta[key]]
        for name, key in _REPLICA_LISTS.items()
        if isinstance(meta.get(key), list)
    }


def _numbers(values: Sequence[Any]) -> list[float | None]:
    return [number_of(value) for value in values]


def folds_fitted(meta: Mapping[str, Any]) -> int:
    """How many folds were fitted, those that did not count with them."""
    parts = (meta, meta.get("beyond_threshold") or {})
    return sum(len(part["validation_losses"]) for part in parts if isinstance(part.get("validation_losses"), list))
