"""Methodologies of a scan's best trials, shared among the replicas of a fit: what `trial_specs` asks for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.errors import StoreError, shortened
from hyperparton.text import counted
from hyperparton.trials.parameters import as_runcard
from hyperparton.trials.trial import Trial
from hyperparton.trials.verdict import Verdict, by_verdict

__all__ = ["assigned", "best_trials", "find_scan", "methodology"]

#: where NNPDF's tools keep scans
_N3FIT_SCANS = Path(sys.prefix) / "share" / "NNPDF" / "hyperscan"


def best_trials(
    trials: Sequence[Trial],
    count: int,
    skip: int = 0,
    source: object = "the scan",
    verdicts: Sequence[Verdict] = (),
) -> list[Trial]:
    """The best `count` trials, the first `skip` of the scan left out; those that were fitted again go first.

    Only trials that succeeded are chosen. Raises StoreError if there are fewer, or if one does not say its parameters.
    """
    order = by_verdict(trials[skip:], verdicts)
    if len(order) < count:
        after = f" after the first {skip}" if skip else ""
        raise StoreError(
            f"{source}: {len(order)} of its {counted(len(trials), 'trial')}{after} succeeded, asked for the "
            f"best {count}"
        )
    best = order[:count]
    for trial in best:
        if not trial.space_vals:
            raise StoreError(f"{source}: trial {trial.number} does not say its parameters (space_vals)")
    return best


def assigned(replicas: Sequence[int], count: int, seed: int | None = None) -> dict[int, int]:
    """Replica number -> place among the `count` best trials, from 0.

    Without a seed replica r has place r modulo `count`, as in n3fit; with one its place is drawn from (seed, r). Either
    way it does not depend on which other replicas are fitted.
    """
    if seed is None:
        return {number: number % count for number in replicas}
    return {number: int(np.random.default_rng([seed, number]).integers(count)) for number in replicas}


def methodology(
    space_vals: Mapping[str, Any], declared: Mapping[str, Any], override: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters of a fit: the trial's `space_vals`, under what the card declares, under what it overrides.

    The first value of the positivity multiplier is the trial's, if it has one. `override` has n3fit's names:
    `learning_rate` and `clipnorm` are the optimizer's, `initial` that of positivity.
    """
    merged = {**space_vals, **{key: value for key, value in declared.items() if value is not None}}
    initial = _part(space_vals, "positivity").get("initial")
    for key, value in (("initial", initial), *override.items()):
        if value is None:
            continue
        if key in ("learning_rate", "clipnorm"):
            merged["optimizer"] = {**_part(merged, "optimizer"), key: value}
        elif key == "initial":
            merged["positivity"] = {**_part(merged, "positivity"), "initial": value}
        elif key == "optimizer" and isinstance(value, str):
            merged["optimizer"] = {**_part(merged, "optimizer"), "optimizer_name": value}
        else:
            merged[key] = value
    return as_runcard(merged)


def _part(parameters: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """A section of a trial's parameters; empty where the trial has none, or one's own under this name."""
    held = parameters.get(section)
    return held if isinstance(held, Mapping) else {}


def find_scan(name: str, folder: Path | None, others: Sequence[Path] = (_N3FIT_SCANS,)) -> Path:
    """The folder or file of the scan `name`: a path as it is, beside the card in `folder`, or in one of the `others`.

    Raises StoreError naming where it was looked for.
    """
    places = [Path(name), *(place / name for place in (folder, *others) if place is not None)]
    for place in places:
        try:
            if place.exists():
                return place
        except OSError as fault:  # a name that is too long
            raise StoreError(f"no scan {shortened(name)!r}: {fault.strerror}") from fault
    raise StoreError(f"no scan {name!r}; looked for {', '.join(str(place) for place in dict.fromkeys(places))}")
