"""What stores with leases have in common: each change of a leased trial is one conditional change of its record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from hyperparton.trials.record import DONE, NEW, encode, failure_type, finished_loss
from hyperparton.trials.store import TrialStore

__all__ = ["LeasedStore", "lease_end"]


def lease_end(now: float, seconds: float | None) -> float | None:
    return None if seconds is None else now + seconds


class LeasedStore(TrialStore):
    """A store that has one operation, `_change`, for everything that only the holder of a lease may do."""

    @abstractmethod
    def _change(self, number: int, holder: str, values: Callable[[float], dict[str, Any]]) -> bool:
        """Change a trial that `holder` has leased, to values that may depend on the time; False if it has not."""

    def heartbeat(self, number: int, owner: str, *, seconds: float | None = None) -> bool:
        return self._change(number, owner, lambda now: {"lease_end": lease_end(now, seconds)})

    def release(self, number: int, owner: str) -> bool:
        return self._change(number, owner, lambda now: {"state": NEW, "owner": None, "lease_end": None})

    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finish(number, owner, result, "ok")

    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finish(number, owner, result, "fail")

    def _finish(self, number: int, owner: str, result: Mapping[str, Any], status: str) -> bool:
        loss = finished_loss(number, result, status)
        values = {"status": status, "loss": loss, "failure": failure_type(result), "result": encode(result)}
        values |= {"state": DONE, "lease_end": None}
        return self._change(number, owner, lambda now: {**values, "refresh_time": now})
