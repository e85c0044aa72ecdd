"""The trial: what a scan knows of one point of its space, whoever wrote it. There is no other record of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hyperparton.errors import printable
from hyperparton.trials.parameters import as_runcard, derived_values, stated_values
from hyperparton.trials.result import fails_below, failure_type, number_of

__all__ = ["DONE", "NEW", "RUNNING", "Outcome", "Trial", "has_failed", "ranked"]

#: states of a trial, hyperopt's numbers: released and waiting, leased by a worker, finished
NEW, RUNNING, DONE = 0, 1, 2

#: what `Trial.fold_losses` and `Trial.replica_losses` hold, and the keys of `kfold_meta` in which it may stand
_FOLD_LISTS = {
    "chi2": ("hyper_losses_chi2",),
    "phi2": ("hyper_losses_phi2", "hyper_losses_phi"),  # as n3fit 4.1.0 called it
    "logp": ("hyper_losses_logp",),
    "chi2exp": ("trvl_losses_chi2exp",),
}
_REPLICA_LISTS = {
    "validation": "validation_losses",
    "experimental": "experimental_losses",
    "hyper": "hyper_losses",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The light view of a finished trial that engines get: a few numbers, so that a history of thousands stays small.

    `Trial.outcome` makes it; stores that keep these numbers in columns read it from them, without the result.
    """

    number: int
    vals: Mapping[str, Sequence[Any]]
    """label -> [value], or [] where the label did not apply"""
    status: str
    """ok or fail"""
    loss: float | None
    """None where there is no finite one"""
    failure: str | None = None
    """the type of the failure where the trainer gave no usable result: an exception's name, NaNLoss, ..."""
    fails_below: Mapping[str, float] | None = None
    """hyperparameter -> the value below which its fits would have failed; None where the trainer does not say"""


@dataclass(frozen=True)
class Trial:
    """One trial of a scan, finished or not. Times are seconds since 1970, UTC.

    What a result does not say is None, or empty.
    """

    number: int
    vals: Mapping[str, Sequence[Any]]
    """label -> [value], or [] where the label did not apply"""
    space_vals: Mapping[str, Any] = field(default_factory=dict)
    """the readable parameters, as `tries.json` has them: an activation by its name"""
    state: int = RUNNING
    """NEW, RUNNING or DONE"""
    owner: str | None = None
    book_time: float | None = None
    refresh_time: float | None = None
    """when it was leased last, or finished"""
    attempts: int = 1
    """how often it was leased; above 1 if a worker died or released it"""
    result: Mapping[str, Any] | None = None
    """status, loss and whatever the trainer returned; None until finished"""
    lease_end: float | None = None
    """when its lease ends by the store's clock, if it is leased and the lease ends by itself"""
    scan: str = ""
    """the name of its scan, where those of several are read together"""

    @property
    def name(self) -> str:
        """How messages and figures call it among all combined scans."""
        return f"{self.scan}:{self.number}" if self.scan else str(self.number)

    @property
    def status(self) -> str:
        """ok or fail once it is finished, running or waiting before."""
        if self.result is not None:
            return self.result["status"]
        return "running" if self.state == RUNNING else "waiting"

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def finished(self) -> bool:
        return self.result is not None

    @property
    def pruned(self) -> bool:
        """Whether it was stopped because it could not become one of the best; its status is fail."""
        return bool(self._part("pruned"))

    @property
    def epochs_saved(self) -> int | None:
        """How many epochs at most a pruned trial was spared."""
        saved = self._part("pruned").get("epochs_saved")
        return saved if isinstance(saved, int) else None

    @property
    def loss(self) -> float | None:
        """The finite loss, if there is one."""
        return number_of(self._said.get("loss"))

    @property
    def validation_loss(self) -> float | None:
        return number_of(self._said.get("validation_loss"))

    @property
    def experimental_loss(self) -> float | None:
        return number_of(self._said.get("experimental_loss"))

    @property
    def failure(self) -> str | None:
        """The type of the failure where the trainer gave no usable result: an exception's name, NaNLoss, ..."""
        return failure_type(self._said)

    @property
    def cause(self) -> str | None:
        """The kind of a failure, by which failures are counted."""
        return self._why_failed[0] if self.status == "fail" else None

    @property
    def reason(self) -> str | None:
        """Why it failed, or was pruned, in a line that a terminal may be given."""
        return printable(" ".join(self._why_failed[1].split())) if self.status == "fail" else None

    @property
    def traceback(self) -> str | None:
        """The last calls of the trainer before it raised."""
        told = self._part("failure").get("traceback")
        return printable(told, keep="\n\t") if isinstance(told, str) and told else None

    @property
    def _why_failed(self) -> tuple[str, str]:
        """The cause and the reason of a failure."""
        failure, reason = self._said.get("failure"), self._said.get("reason")
        if self.pruned:
            return "pruned", str(reason)
        if isinstance(failure, Mapping):
            return str(failure.get("type")), f"{failure.get('type')}: {failure.get('message')}"
        if reason:
            return ("over the threshold" if "threshold" in str(reason) else "told by the trainer"), str(reason)
        loss = "none" if self.loss is None else f"{self.loss:.4g}"
        return "status fail", f"the trainer gave status fail (loss {loss})"

    @property
    def learning_curve(self) -> list[tuple[int, float | None]]:
        """(epoch, loss) at each checkpoint that it reported."""
        epochs, losses = self._part("curve").get("epochs"), self._part("curve").get("loss")
        if not isinstance(epochs, list) or not isinstance(losses, list):
            return []
        pairs = zip(epochs, losses, strict=False)
        return [(epoch, number_of(loss)) for epoch, loss in pairs if isinstance(epoch, int) and epoch >= 0]

    @cached_property
    def fold_losses(self) -> Mapping[str, Sequence[float | None]]:
        """chi2, phi2, logp (of the hidden fold), chi2exp (of the fitted data) -> (fold,); as far as they are there."""
        meta = self._meta
        held = {name: next((meta[key] for key in keys if key in meta), None) for name, keys in _FOLD_LISTS.items()}
        return {name: _numbers(losses) for name, losses in held.items() if isinstance(losses, list)}

    @cached_property
    def replica_losses(self) -> Mapping[str, Sequence[Sequence[float | None]]]:
        """validation, experimental, hyper -> (fold, replica); as far as they are there."""
        return {
            name: [_numbers(fold if isinstance(fold, list) else [fold]) for fold in self._meta[key]]
            for name, key in _REPLICA_LISTS.items()
            if isinstance(self._meta.get(key), list)
        }

    @property
    def replicas(self) -> int | None:
        """How many replicas each fold was fitted with; None where it does not say."""
        return max((len(fold) for folds in self.replica_losses.values() for fold in folds), default=0) or None

    @property
    def folds_fitted(self) -> int:
        """How many folds were fitted, those that did not count with them."""
        parts = (self._meta, self._meta.get("beyond_threshold"))
        held = [part.get("validation_losses") for part in parts if isinstance(part, Mapping)]
        return sum(len(losses) for losses in held if isinstance(losses, list))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as a runcard has them, activations listed per layer; empty where it does not say them."""
        return as_runcard(self.space_vals)

    @cached_property
    def stated(self) -> Mapping[str, Any]:
        """Hyperparameter -> value, without nesting; None where it does not apply."""
        return stated_values(self.space_vals, self.vals)

    @cached_property
    def derived(self) -> Mapping[str, Any]:
        """What follows from those: the number of layers, the width of each, ..."""
        return derived_values(self.stated)

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """All of these by name."""
        return {**self.stated, **self.derived}

    @property
    def begin(self) -> float | None:
        return self.book_time

    @property
    def end(self) -> float | None:
        return self.refresh_time if self.finished else None

    @property
    def seconds(self) -> float | None:
        """How long it took, from its booking to its end."""
        return None if self.begin is None or self.end is None else self.end - self.begin

    @property
    def outcome(self) -> Outcome:
        """The part that an engine reads."""
        return Outcome(self.number, self.vals, self.status, self.loss, self.failure, fails_below(self._said))

    def without_arrays(self) -> Trial:
        """The trial with the plain numbers and words of its result alone, for who goes through very many."""
        said = {key: value for key, value in self._said.items() if not isinstance(value, dict | list)}
        return replace(self, vals={}, result={**said, "pruned": self._part("pruned")} if self.finished else None)

    @property
    def _said(self) -> Mapping[str, Any]:
        return self.result or {}

    @property
    def _meta(self) -> Mapping[str, Any]:
        return self._part("kfold_meta")

    def _part(self, name: str) -> Mapping[str, Any]:
        """A dictionary of the result; empty where a trainer of the user's own keeps something else under this name."""
        held = self._said.get(name)
        return held if isinstance(held, Mapping) else {}


def _numbers(values: Sequence[Any]) -> list[float | None]:
    return [number_of(value) for value in values]


def has_failed(trial: Trial) -> bool:
    """Whether it failed by itself; one that was pruned did not."""
    return trial.status == "fail" and not trial.pruned


def ranked(trials: Iterable[Trial], loss: Callable[[Trial], float | None] | None = None) -> list[tuple[Trial, float]]:
    """The trials that succeeded with their losses, best first, of equal ones the one that comes first.

    `loss` gives the number by which they are compared, by default their own; one without a number is left out.
    """
    numbers = ((trial, trial.loss if loss is None else loss(trial)) for trial in trials if trial.ok)
    return sorted(((trial, number) for trial, number in numbers if number is not None), key=lambda pair: pair[1])
