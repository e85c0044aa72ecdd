"""A store whose server may be away for a while: it is waited for, and no result is lost meanwhile.

What was asked when a connection broke may have been done, so a question that is asked again takes that into account: a
trial that this owner has finished with this very result is finished, one that it has booked is its own. A trial that
was leased by an answer that got lost is leased again, by anyone, when its lease ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar, cast

from hyperparton.errors import StoreAwayError
from hyperparton.trials.kept_results import KeptResults
from hyperparton.trials.patience import Patience
from hyperparton.trials.store import TrialStore
from hyperparton.trials.strict_json import encode_strict
from hyperparton.trials.trial import Trial

__all__ = ["PatientStore"]

_LOG = logging.getLogger(__name__)

#: seconds in which a process that is to end says good-bye to a server
_AT_THE_END = 5.0

Answer = TypeVar("Answer")
Method = TypeVar("Method", bound=Callable[..., Any])


def _asked(method: Method) -> Method:
    """The `method` of a store, asked of the store that a PatientStore waits for."""

    @wraps(method, updated=())
    def ask(self: PatientStore, *arguments: Any, **options: Any) -> Any:
        return self._ask(partial(getattr(self._store, method.__name__), *arguments, **options))

    return cast("Method", ask)


class PatientStore(TrialStore):
    """All that `store` does; its server is waited for up to `seconds`, with a line when that begins and ends.

    `kept` holds the results that cannot be delivered. `check` is called now and then by one that waits, and may raise.
    After the limit StoreAwayError is raised, and nothing is waited for any more. A heartbeat does not wait: the next
    one may come in time.
    """

    def __init__(
        self, store: TrialStore, seconds: float, kept: KeptResults, check: Callable[[], None] = lambda: None
    ) -> None:
        self.name, self.shared = store.name, store.shared
        self._store, self._kept = store, kept
        self._patience = Patience(store.name, seconds, check)

    def _ask(self, question: Callable[[], Answer], wait: bool = True) -> Answer:
        try:
            return self._patience.ask(question, wait)
        except Exception:
            raise
        except BaseException:  # the process is to end
            self.hurry(_AT_THE_END)
            raise

    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        asked = 0

        def book() -> Trial | None:
            nonlocal asked
            asked += 1
            trial = self._store.book(number, vals, owner, space_vals=space_vals, seconds=seconds)
            if trial is None and asked > 1 and number < self._store.next_number():
                there = self._store.get(number)
                return there if there.owner == owner and not there.finished else None
            return trial

        return self._ask(book)

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        return self._ask(lambda: self._store.lease(owner, stop=stop, seconds=seconds))

    def heartbeat(self, number: int, owner: str, *, seconds: float | None = None) -> bool:
        return self._ask(lambda: self._store.heartbeat(number, owner, seconds=seconds), wait=False)

    def release(self, number: int, owner: str) -> bool:
        return self._ask(lambda: self._store.release(number, owner))

    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._deliver(self._store.complete, number, owner, result)

    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._deliver(self._store.fail, number, owner, result)

    def _deliver(self, finish: Callable[..., bool], number: int, owner: str, result: Mapping[str, Any]) -> bool:
        """Finish a trial; its result lies in a file for as long as nobody knows whether that was done."""
        asked = 0

        def deliver() -> bool:
            nonlocal asked
            asked += 1
            try:
                return finish(number, owner, result) or (asked > 1 and self._has(number, owner, result))
            except StoreAwayError:
                self._kept.keep(self.name, number, owner, result)
                raise
            except Exception:
                raise
            except BaseException:
                self._kept.keep(self.name, number, owner, result)
                raise

        done = self._ask(deliver)
        self._kept.forget(number, owner)
        return done

    def _has(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        """Whether `owner` has finished the trial with this result."""
        there = self._store.get(number)
        return (
            there.owner == owner and there.result is not None and encode_strict(there.result) == encode_strict(result)
        )

    def deliver_kept(self) -> None:
        """Finish the trials whose results an earlier process kept; what another has run meanwhile is dropped."""
        for number, owner, result in self._kept.of_store(self.name):
            finish = self.complete if result.get("status") == "ok" else self.fail
            try:
                done = finish(number, owner, result) or self._ask(partial(self._has, number, owner, result))
            except KeyError:
                done = False
            what = "is delivered now" if done else "is dropped: another process runs the trial, or has run it"
            _LOG.warning("trial %d: its result, kept while %s was away, %s", number, self.name, what)

    def hurry(self, seconds: float) -> None:
        self._patience.give_up()
        self._store.hurry(seconds)

    next_number = _asked(TrialStore.next_number)
    first_unfinished = _asked(TrialStore.first_unfinished)
    finished_numbers = _asked(TrialStore.finished_numbers)
    get = _asked(TrialStore.get)
    history = _asked(TrialStore.history)
    trials = _asked(TrialStore.trials)
    best = _asked(TrialStore.best)
    attach = _asked(TrialStore.attach)
    attach_first = _asked(TrialStore.attach_first)
    metadata = _asked(TrialStore.metadata)

    def close(self) -> None:
        self._store.close()
