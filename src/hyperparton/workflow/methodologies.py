"""The methodology of each replica of a fit: the card's own, or those of a scan's best trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperparton.errors import RuncardError, TrainingError
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.cross_checks import parameter_faults
from hyperparton.runcard.parameters import Parameters, trial_parameters

__all__ = ["Methodologies", "methodologies", "parameters_of_trial"]


@dataclass(frozen=True)
class Methodologies:
    """The parameters of each replica by its number, the same as they are written, and where they come from."""

    parameters: dict[int, Parameters]
    written: dict[int, dict[str, Any]]
    notes: tuple[str, ...] = ()


def methodologies(
    card: Runcard, numbers: Sequence[int], source: Path | None = None, top: int | None = None
) -> Methodologies:
    """The methodologies of the replicas of these numbers.

    `source` is a scan whose best trial is taken, or its `top` best; without it the scan that the card's `trial_specs`
    name, or the card's own parameters. Raises StoreError for a scan that cannot be read, RuncardError for trials that
    cannot be fitted with this card.
    """
    specs = card.trial_specs
    if source is None and specs is None:
        return Methodologies(dict.fromkeys(numbers, card.parameters), dict.fromkeys(numbers, card.scan_parameters()))
    from hyperparton.scan.best_trials import assigned, best_trials, find_scan, methodology
    from hyperparton.trials.refits import read_refits
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.tries_read import read_trials
    from hyperparton.trials.verdict import verdicts

    if source is None:
        assert specs is not None
        source = find_scan(specs.hyperscan, None if card.path is None else Path(card.path).resolve().parent)
    path = ScanFolder.find(source).tries
    count = top or (specs.number_of_trials if specs else 1)
    trials = read_trials(path)
    again = verdicts(read_refits(path, trials))
    best = best_trials(trials, count, specs.thermalization if specs else 0, path, again)
    places = assigned(numbers, count, specs.seed if specs else None)
    declared, override = (card.parameters.as_written(), specs.override.as_written()) if specs else ({}, {})
    chosen = [methodology(trial.space_vals, declared, override) for trial in best]
    read = [
        parameters_of_trial(card, values, f"trial {t.number} of {path}") for t, values in zip(best, chosen, strict=True)
    ]
    failed = {v.trial: f", {v.failed} of {v.replicas} re-fits failed" for v in again if not v.stable}
    notes = [
        f"trial {trial.number} (loss {trial.loss:.4f}{failed.get(trial.number, '')}): {_listed(places, i)}"
        for i, trial in enumerate(best)
    ]
    return Methodologies(
        {number: read[place] for number, place in places.items()},
        {number: chosen[place] for number, place in places.items()},
        (f"methodologies from {path}", *notes),
    )


def _listed(places: dict[int, int], place: int) -> str:
    members = [str(number) for number, at in places.items() if at == place]
    return f"replica{'s' if len(members) > 1 else ''} {', '.join(members)}" if members else "no replica"


def parameters_of_trial(card: Runcard, values: dict[str, Any], name: str) -> Parameters:
    """The parameters of a trial; raises RuncardError where they cannot be those of this card."""
    try:
        parameters = trial_parameters(values)
        wrong = "; ".join(str(fault) for fault in parameter_faults(card, parameters))
    except TrainingError as error:
        wrong = str(error)
    if wrong:
        place = ("trial_specs",) if card.trial_specs else ()
        raise RuncardError([card.fault(place, f"{name} cannot be fitted: {wrong}")])
    return parameters
