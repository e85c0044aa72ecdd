"""Trials of earlier scans as the history of a new one: read, brought into its space, and those that do not fit named.

They are part of what engines learn from, never of the new scan's trials: they have numbers below 0, count for nothing
in `--trials` and are not in its `tries.json`. What was read at the first start is kept in the store, so that a scan
that is continued does not depend on what became of the earlier ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperparton.errors import ScanError
from hyperparton.space.locate import Misfit, locate
from hyperparton.space.tree import fill, samplers_by_label
from hyperparton.text import counted
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Outcome, ranked
from hyperparton.trials.tries_entry import as_asked
from hyperparton.trials.tries_read import read_trials

__all__ = ["kept_prior", "located", "outside", "parameter_sets", "prior_of", "read_prior"]

#: under which the store keeps them
_KEY = "prior"


def prior_of(store: TrialStore, sources: Sequence[str | Path], space: Mapping[str, Any]) -> dict[str, Any]:
    """The earlier trials of a scan, {trials, notes}: as they were at its first start, or read now; empty for none."""
    if not sources:
        return {}
    kept = store.metadata().get(_KEY)
    if kept is not None:
        return kept
    outcomes, notes = read_prior(sources, space)
    trials = [
        [{k: v for k, v in one.vals.items() if v}, one.status, one.loss, one.failure, one.fails_below]
        for one in outcomes
    ]
    return {"trials": trials, "notes": notes}


def kept_prior(store: TrialStore, earlier: Mapping[str, Any], space: Mapping[str, Any]) -> list[Outcome]:
    """What `prior_of` gave as outcomes, kept in the store; of several processes that begin a scan one settles it."""
    if not earlier:
        return []
    labels, trials = samplers_by_label(space), store.attach_first(_KEY, dict(earlier))["trials"]
    return [
        Outcome(i - len(trials), fill(labels, {label: held[0] for label, held in vals.items()}), *rest)
        for i, (vals, *rest) in enumerate(trials)
    ]


def read_prior(sources: Sequence[str | Path], space: Mapping[str, Any]) -> tuple[list[Outcome], list[str]]:
    """The finished trials of earlier scans that lie in `space`, numbered below 0, and a line on each file.

    Raises StoreError for a folder without trials, ScanError if no trial of any lies in the space.
    """
    taken: list[Outcome] = []
    notes = []
    for path in _tries_of(sources):
        trials = [trial for trial in read_trials(path) if trial.finished]
        others: list[tuple[int, list[Misfit]]] = []
        before = len(taken)
        for trial in trials:
            vals, misfits = located(space, trial.space_vals)
            if vals is None:
                others.append((trial.number, misfits))
            else:
                taken.append(replace(trial, vals=vals).outcome)
        notes.append(
            f"{path}: {len(taken) - before} of {counted(len(trials), 'trial')} taken as history{_described(others)}"
        )
    if not taken:
        raise ScanError("no trial of the earlier scans lies in this space:\n" + "\n".join(notes))
    return [replace(outcome, number=i - len(taken)) for i, outcome in enumerate(taken)], notes


def _tries_of(sources: Sequence[str | Path]) -> list[Path]:
    return [folder.tries for source in sources for folder in ScanFolder.find_all(source)]


def located(space: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[dict[str, list[Any]] | None, list[Misfit]]:
    """The vals in `space` of a trial that says these parameters, or None and what does not fit (see `locate`)."""
    if not held:
        return None, [Misfit("space_vals", "nothing", "the trial's parameters")]
    return locate(space, {"parameters": held} if set(space) == {"parameters"} else as_asked(held, space))


def _described(others: Sequence[tuple[int, list[Misfit]]]) -> str:
    return f"; outside of this space {len(others)}: {outside(others)}" if others else ""


def outside(others: Sequence[tuple[int, list[Misfit]]]) -> str:
    """How many trials, with their numbers, do not fit in a space, by parameter, with an example of each."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for number, misfits in others:
        for misfit in misfits:
            groups[misfit.parameter, misfit.accepted].append((number, misfit.value))
    return ", ".join(
        f"{len(members)} in {parameter} ({members[0][1]} in trial {members[0][0]}, accepted: {accepted})"
        for (parameter, accepted), members in sorted(groups.items(), key=lambda group: -len(group[1]))
    )


def parameter_sets(sources: Sequence[str | Path]) -> list[dict[str, Any]]:
    """The parameters of the trials that succeeded in earlier scans, best first, each once: what to choose among.

    Raises ScanError if there are none.
    """
    known: list[dict[str, Any]] = []
    for trial, _ in ranked(trial for path in _tries_of(sources) for trial in read_trials(path)):
        if trial.space_vals and trial.parameters not in known:
            known.append(trial.parameters)
    if not known:
        raise ScanError(f"no trial of {', '.join(map(str, sources))} succeeded and says its parameters")
    return known
