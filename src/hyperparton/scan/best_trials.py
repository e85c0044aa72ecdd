"""Methodologies of a scan's best trials, shared among the replicas of a fit: what `trial_specs` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.errors import StoreError

__all__ = ["ChosenTrial", "assigned", "best_trials", "completed", "find_scan", "methodology", "ranked"]


@dataclass(frozen=True)
class ChosenTrial:
    """One of the best trials, with the parameters that a fit takes from it."""

    number: int
    loss: float
    parameters: Mapping[str, Any]
    """as a runcard's `parameters`; activations may be a single name"""


def ranked(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of a `tries.json` that succeeded, best first."""
    usable = [t for t in trials if t["result"].get("status") == "ok" and t["result"].get("loss") is not None]
    return sorted(usable, key=lambda trial: (trial["result"]["loss"], trial.get("tid", 0)))


def best_trials(
    trials: Sequence[Mapping[str, Any]], count: int, skip: int = 0, source: object = "the scan"
) -> list[ChosenTrial]:
    """The best `count` trials, the first `skip` of the scan left out.

    Only trials that succeeded are chosen. Raises StoreError if there are fewer, or if one does not say its parameters.
    """
    order = ranked(trials[skip:])
    if len(order) < count:
        after = f" after the first {skip}" if skip else ""
        raise StoreError(
            f"{source}: {len(order)} of its {len(trials)} trials{after} succeeded, asked for the best {count}"
        )
    found = []
    for trial in order[:count]:
        held = trial["misc"].get("space_vals")
        if not isinstance(held, Mapping):
            raise StoreError(f"{source}: trial {trial.get('tid')} does not say its parameters (space_vals)")
        found.append(ChosenTrial(int(trial.get("tid", 0)), float(trial["result"]["loss"]), dict(held)))
    return found


def assigned(replicas: Sequence[int], count: int, seed: int | None = None) -> dict[int, int]:
    """Replica number -> place among the `count` best trials, from 0.

    Without a seed replica r has place r modulo `count`, as in n3fit; with one its place is drawn from (seed, r). Either
    way it does not depend on which other replicas are fitted.
    """
    if seed is None:
        return {number: number % count for number in replicas}
    return {number: int(np.random.default_rng([seed, number]).integers(count)) for number in replicas}


def methodology(trial: Mapping[str, Any], declared: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a fit: those of the trial, under what the card declares, under what it overrides.

    The first value of the positivity multiplier is the trial's, if it has one. `override` has n3fit's names:
    `learning_rate` and `clipnorm` are the optimizer's, `initial` that of positivity.
    """
    merged = {**trial, **{key: value for key, value in declared.items() if value is not None}}
    initial = (trial.get("positivity") or {}).get("initial")
    if initial is not None:
        merged["positivity"] = {**(merged.get("positivity") or {}), "initial": initial}
    for key, value in override.items():
        if value is None:
            continue
        if key in ("learning_rate", "clipnorm"):
            merged["optimizer"] = {**merged["optimizer"], key: value}
        elif key == "initial":
            merged["positivity"] = {**(merged.get("positivity") or {}), "initial": value}
        elif key == "optimizer" and isinstance(value, str):
            merged["optimizer"] = {**merged["optimizer"], "optimizer_name": value}
        else:
            merged[key] = value
    return completed(merged)


def completed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's parameters as a runcard has them: a single activation's name becomes a list, one per layer."""
    chosen = dict(parameters)
    name, nodes = chosen.get("activation_per_layer"), chosen.get("nodes_per_layer")
    if isinstance(name, str) and nodes:
        from hyperparton.scan.sections import ActivationStr

        chosen["activation_per_layer"] = ActivationStr(name)(len(nodes))
    return chosen


def find_scan(name: str, folder: Path | None, others: Sequence[Path] = ()) -> Path:
    """The folder or file of the scan `name`: a path as it is, beside the card in `folder`, or in one of the `others`.

    Raises StoreError naming where it was looked for.
    """
    places = [Path(name), *(place / name for place in (folder, *others) if place is not None)]
    for place in places:
        if place.exists():
            return place
    raise StoreError(f"no scan {name!r}; looked for {', '.join(str(place) for place in dict.fromkeys(places))}")
