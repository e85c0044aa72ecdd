"""Trials of earlier scans as the history of a new one: read, brought into its space, and those that do not fit named.

They are part of what engines learn from, never of the new scan's trials: they have numbers below 0, count for nothing
in `--trials` and are not in its `tries.json`. What was read at the first start is kept in the store, so that a scan
that is continued does not depend on what became of the earlier ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperparton.errors import ScanError
from hyperparton.scan.best_trials import completed, ranked
from hyperparton.space import Misfit, fill, locate, samplers_by_label
from hyperparton.trials import Outcome, TrialStore, read_tries
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import failure_type

__all__ = ["kept_prior", "parameter_sets", "prior_of", "read_prior", "tries_of"]

#: under which the store keeps them
_KEY = "prior"


def tries_of(source: str | Path) -> list[Path]:
    """The `tries.json` of a scan's folder, one for each replica that has one, or the file itself; raises StoreError."""
    path = Path(source)
    several = sorted(path.glob("nnfit/replica_*/tries.json")) if path.is_dir() else []
    return several or [ScanFolder.find_tries(path)]


def prior_of(store: TrialStore, sources: Sequence[str | Path], space: Mapping[str, Any]) -> dict[str, Any]:
    """The earlier trials of a scan, {trials, notes}: as they were at its first start, or read now; empty for none."""
    if not sources:
        return {}
    kept = store.metadata().get(_KEY)
    if kept is not None:
        return kept
    found, notes = read_prior(sources, space)
    trials = [[{k: v for k, v in one.vals.items() if v}, one.status, one.loss, one.failure] for one in found]
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
    taken: list[tuple[dict[str, list[Any]], Mapping[str, Any]]] = []
    notes = []
    for path in [path for source in sources for path in tries_of(source)]:
        entries = [entry for entry in read_tries(path) if entry["result"].get("status") in ("ok", "fail")]
        outside: list[tuple[Any, list[Misfit]]] = []
        before = len(taken)
        for entry in entries:
            vals, misfits = _located(space, entry)
            if vals is None:
                outside.append((entry.get("tid"), misfits))
            else:
                taken.append((vals, entry["result"]))
        notes.append(f"{path}: {len(taken) - before} of {len(entries)} trials are taken as history{_told(outside)}")
    if not taken:
        raise ScanError("no trial of the earlier scans lies in this space:\n" + "\n".join(notes))
    return [_outcome(i - len(taken), vals, result) for i, (vals, result) in enumerate(taken)], notes


def _located(space: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[dict[str, list[Any]] | None, list[Misfit]]:
    held = entry["misc"].get("space_vals")
    if not isinstance(held, Mapping) or not held:
        return None, [Misfit("space_vals", "nothing", "the trial's parameters")]
    return locate(space, {"parameters": held} if set(space) == {"parameters"} else held)


def _outcome(number: int, vals: Mapping[str, Sequence[Any]], result: Mapping[str, Any]) -> Outcome:
    loss = result.get("loss")
    finite = float(loss) if isinstance(loss, int | float) and not isinstance(loss, bool) else None
    failure = failure_type(result)
    if result["status"] == "ok" and finite is None:  # n3fit may write status ok beside a loss that is no number
        return Outcome(number, vals, "fail", None, failure or "NaNLoss")
    return Outcome(number, vals, result["status"], finite, failure)


def _told(outside: Sequence[tuple[Any, list[Misfit]]]) -> str:
    """How many do not fit, by parameter, with an example of each."""
    groups: dict[tuple[str, str], list[tuple[Any, str]]] = defaultdict(list)
    for number, misfits in outside:
        for misfit in misfits:
            groups[misfit.parameter, misfit.accepted].append((number, misfit.value))
    if not groups:
        return ""
    told = [
        f"{len(members)} in {parameter} ({members[0][1]} in trial {members[0][0]}, accepted: {accepted})"
        for (parameter, accepted), members in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]
    return f"; {len(outside)} are outside of this space: {', '.join(told)}"


def parameter_sets(sources: Sequence[str | Path]) -> list[dict[str, Any]]:
    """The parameters of the trials that succeeded in earlier scans, best first, each once: what to choose among.

    Raises ScanError if there are none.
    """
    known: list[dict[str, Any]] = []
    entries = [entry for source in sources for path in tries_of(source) for entry in read_tries(path)]
    for entry in ranked(entries):
        held = entry["misc"].get("space_vals")
        if isinstance(held, Mapping) and held and (made := completed(held)) not in known:
            known.append(made)
    if not known:
        raise ScanError(f"no trial of {', '.join(map(str, sources))} succeeded and says its parameters")
    return known
