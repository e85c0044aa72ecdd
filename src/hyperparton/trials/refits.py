"""Re-fits of a scan: the parameters of a trial, fitted again with replicas that the scan has not used.

They lie beside the trials, in a store of their own of the same kind (`refits/` in the scan's replica folder): an entry
for each methodology and block of replicas. An entry has the trial's vals and, under three more labels, which trial it
is and its first and last replica; its result has `replica_losses`, and may have `replica_fails_below`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.trials.result import number_of, replicas_fail_below
from hyperparton.trials.trial import Trial
from hyperparton.trials.tries_entry import completed
from hyperparton.trials.tries_read import read_trials

__all__ = ["FOLDER", "Refit", "read_refits", "refit_of", "replicas_of", "vals_of"]

#: the folder beside `tries.json`
FOLDER = "refits"

#: replicas of a block at most
_MOST = 1000

#: no name of a hyperparameter has a slash
_TRIAL, _FIRST, _LAST = "refit/trial", "refit/first", "refit/last"


@dataclass(frozen=True)
class Refit:
    """A block of replicas of one methodology."""

    trial: int
    """number of the trial whose parameters were fitted"""
    replicas: tuple[int, ...]
    losses: tuple[float | None, ...]
    """of each replica; None where its fit gave none"""
    hidden_chi2: float | None = None
    """mean over the folds, of these replicas together"""
    hidden_phi2: float | None = None
    fails_below: tuple[Mapping[str, float], ...] = ()
    """of each replica what `result.fails_below` is of a trial; empty where it is not known"""


def vals_of(trial: int, vals: Mapping[str, Sequence[Any]], replicas: Sequence[int]) -> dict[str, list[Any]]:
    """The vals of an entry: those of the trial, its number, and the first and the last replica."""
    labels = {label: list(held) for label, held in vals.items()}
    return {**labels, _TRIAL: [trial], _FIRST: [replicas[0]], _LAST: [replicas[-1]]}


def replicas_of(vals: Mapping[str, Sequence[Any]]) -> tuple[int, ...] | None:
    """The replicas that an entry with these vals asks for; None for a trial of a scan.

    Raises ValueError, TypeError or IndexError for what is no block of replicas.
    """
    if _FIRST not in vals:
        return None
    first, last = vals[_FIRST][0], vals[_LAST][0]
    if not 1 <= first <= last < first + _MOST:
        raise ValueError(f"no block of replicas: {first} to {last}")
    return tuple(range(first, last + 1))


def refit_of(entry: Trial) -> Refit:
    """What an entry of the store says; raises StoreError for one that is no re-fit."""
    try:
        number, replicas = entry.vals[_TRIAL][0], replicas_of(entry.vals)
        if replicas is None:
            raise KeyError(_FIRST)
    except (KeyError, IndexError, ValueError, TypeError) as fault:
        raise StoreError(f"entry {entry.number} of the re-fits does not say which trial was fitted again") from fault
    result = entry.result or {}
    losses = result.get("replica_losses")
    if not entry.ok or not isinstance(losses, list) or len(losses) != len(replicas):
        return Refit(number, replicas, (None,) * len(replicas))
    chi2, phi2 = (_mean(result.get(name)) for name in ("hidden_chi2", "hidden_phi2"))
    told = tuple(replicas_fail_below(result) or ())
    return Refit(number, replicas, tuple(map(number_of, losses)), chi2, phi2, told)


def _mean(values: Any) -> float | None:
    numbers = [number_of(value) for value in values] if isinstance(values, list) else []
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known and len(known) == len(numbers) else None


def read_refits(tries: Path, trials: Iterable[Trial]) -> list[Refit]:
    """The re-fits beside the `tries.json` at `tries` of these trials; none where the scan was not confirmed.

    Raises StoreError for a file that cannot be read, or that is of another scan.
    """
    path = tries.parent / FOLDER / "tries.json"
    if not isfile(path):
        return []
    refits = [(entry, refit_of(entry)) for entry in read_trials(path) if entry.finished]
    known = {trial.number: trial for trial in trials}
    for entry, refit in refits:
        trial = known.get(refit.trial)
        # n3fit's trials do not say all that entries of ours do
        if trial is None or completed(trial.space_vals) != completed(entry.space_vals):
            raise StoreError(
                f"{path}: entry {entry.number} is of another scan: trial {refit.trial} of {tries.name} is not the one "
                "that was fitted again; remove the folder to confirm anew"
            )
    return [refit for _, refit in refits]
