"""What a scan is, in words: its loss with the formula, data, folds, replicas, engine, computing, time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.errors import shortened
from hyperparton.report.convergence import lanes
from hyperparton.report.scans import Scan, card_content
from hyperparton.text import counted
from hyperparton.trials.result import number_of
from hyperparton.trials.trial import Trial

__all__ = ["About", "about"]

#: letters of a list of data sets at most
_LISTED = 700


@dataclass(frozen=True)
class About:
    """One thing that a reader has to know of a scan; `formula` stands below the words."""

    term: str
    text: str
    formula: str = ""


def about(scan: Scan) -> list[About]:
    """What is known of a scan, from its card, its settings and its trials."""
    card = card_content(scan)
    said = [*_loss(card, scan), *_data(card, scan), *_folds(card, scan), *_computing(scan)]
    return [entry for entry in said if entry.text]


def _loss(card: Mapping[str, Any] | None, scan: Scan) -> Iterator[About]:
    if function := scan.settings.get("function"):
        yield About("Loss", f"what the function {function} returns; small is good")
    elif card is None:
        return
    elif card.get("trainer") not in (None, "n3fit"):
        yield About("Loss", f"what the trainer {card['trainer']} returns; small is good")
    elif isinstance(kfold := card.get("kfold"), Mapping):
        replicas = scan.settings.get("replicas")
        words, formula = loss_words(kfold, replicas if isinstance(replicas, int) else None)
        yield About("Loss", words, formula)


#: a statistic as a noun
_STATISTIC = {
    "average": "mean", "average_best": "mean", "best_worst": "maximum", "std": "standard deviation",
}  # fmt: skip

_OF_FOLD = {
    "phi2": ("the spread phi2 of the replicas on the hidden data", "φ²(hidden)"),
    "logp": ("−log p of the hidden data, per point", "−log p(hidden)"),
    "chi2p": ("χ² of the hidden data with the covariance of the replicas added to that of the data", "χ²(hidden)"),
}


def loss_words(kfold: Mapping[str, Any], replicas: int | None = None) -> tuple[str, str]:
    """The loss of a trial by a card's `kfold` (with its defaults), in words and as a formula."""
    kind = kfold.get("loss_type")
    over_replicas = _STATISTIC.get(str(kfold.get("replica_statistic")), "")
    over_folds = _STATISTIC.get(str(kfold.get("fold_statistic")), "")
    penalties = [str(name) for name in _list(kfold.get("penalties"))] if kfold.get("penalties_in_loss") else []
    folds = [fold for fold in _list(kfold.get("partitions")) if isinstance(fold, Mapping)]
    weighted = any(fold.get("weight", 1) != 1 for fold in folds)
    if kind == "chi2":
        words, formula = _chi2(kfold, over_replicas, replicas, penalties)
    else:
        words, formula = _OF_FOLD.get(str(kind), (str(kind), str(kind)))
        words = f"of each fold, {words}"
        if penalties and kind != "chi2p":
            words, formula = f"{words}, plus the mean penalties ({', '.join(penalties)})", f"{formula} + penalties"
    weight = ", each times its weight" if weighted else ""
    what = f"the {'reciprocal of the ' if kind == 'phi2' else ''}{over_folds} over folds{weight}"
    line = f"{over_folds} over folds of L(fold)"
    whole = f"loss    = {f'1 / [{line}]' if kind == 'phi2' else line} + max(0, 100 (χ²(fitted) − 1.2))"
    threshold = kfold.get("threshold")
    stop = f" A fold whose L is above {threshold} ends the trial as failed." if threshold is not None else ""
    return (
        f"{words}; then {what}; plus 100 times the excess over 1.2 of the χ² of the fitted data, its mean over folds, "
        f"which a fit that describes its data does not have.{stop}",
        f"L(fold) = {formula}\n{whole}",
    )


def _chi2(kfold: Mapping[str, Any], statistic: str, replicas: int | None, penalties: Sequence[str]) -> tuple[str, str]:
    """The loss of a fold for `loss_type: chi2`, as `hyperloss.loss` computes it."""
    share = number_of(kfold.get("reduce_proportion"))
    share = 1.0 if share is None else share
    rest = max(0.0, 1.0 - share)
    best, lowest = f"{100 * share:.3g} %", f"{100 * rest:.3g} %"
    if replicas is not None:
        # as many as `KFold.best` and `HyperLoss.fold_loss` take, rounded up
        best = f"{best}, {math.ceil(share * replicas)} of {replicas}"
        lowest = f"{lowest}, {max(math.ceil((1.0 - share) * replicas), 1)} of {replicas}"
    plus = f", with the penalties {', '.join(penalties)} added," if penalties else ""
    return (
        f"of each fold, the {statistic} validation χ² of the replicas with the lowest one ({best}), plus what the "
        f"{statistic} χ² of the hidden data{plus} has above 2, over the replicas with the lowest one ({lowest})",
        f"{statistic}[χ²(validation), lowest {100 * share:.3g} %] + max(0, {statistic}[χ²(hidden)"
        f"{' + penalties' if penalties else ''}, lowest {100 * rest:.3g} %] − 2)",
    )


def _data(card: Mapping[str, Any] | None, scan: Scan) -> Iterator[About]:
    if card is None or not isinstance(sets := card.get("dataset_inputs"), list):
        return
    parts = [counted(len(sets), "data set")]
    if isinstance(points := scan.settings.get("points"), int):
        parts[0] += f" with {counted(points, 'point')} after cuts"
    theory, cuts = card.get("theory"), card.get("datacuts")
    if isinstance(theory, Mapping) and "theoryid" in theory:
        parts.append(f"theory {theory['theoryid']}")
    if isinstance(cuts, Mapping):
        limits = (("q2min", "Q² above", "GeV²"), ("w2min", "W² above", "GeV²"))
        parts += [f"{words} {cuts[key]} {unit}" for key, words, unit in limits if key in cuts]
        if cuts.get("use_cuts") not in (None, "internal"):
            parts.append(f"use_cuts: {str(cuts['use_cuts']).lower()}")
        t0 = scan.settings.get("t0pdfset") or cuts.get("t0pdfset")
        parts.append(f"t0 set {t0}" if t0 else "experimental covariance matrix")
    noise = "each replica is fitted to a Monte Carlo replica of the data" if card.get("genrep") else (
        "all replicas are fitted to the measured values"
    )  # fmt: skip
    yield About("Data", f"{', '.join(parts)}; {noise}")


def _folds(card: Mapping[str, Any] | None, scan: Scan) -> Iterator[About]:
    kfold = None if card is None else card.get("kfold")
    folds = _list(kfold.get("partitions")) if isinstance(kfold, Mapping) else []
    if folds and all(isinstance(fold, Mapping) for fold in folds):
        told = [f"{k + 1} hides {_names(fold.get('datasets'))}" for k, fold in enumerate(folds)]
        yield About("Folds", shortened(f"{len(folds)}: {'; '.join(told)}", _LISTED))
    if isinstance(replicas := scan.settings.get("replicas"), int):
        yield About("Replicas", f"{replicas} in each fold" if folds else f"{replicas}")


def _list(value: Any) -> list[Any]:
    """A list of the card; nothing where it is none."""
    return value if isinstance(value, list) else []


def _names(names: Any) -> str:
    return ", ".join(map(str, _list(names))) or "nothing"


def _computing(scan: Scan) -> Iterator[About]:
    settings, finished = scan.settings, [trial for trial in scan.trials if trial.finished]
    if engine := settings.get("engine"):
        seed = "" if settings.get("seed") is None else f", seed {settings['seed']}"
        lag = settings.get("lag")
        behind = f", trial n from the trials up to n − {lag}" if isinstance(lag, int) and lag > 1 else ""
        yield About("Engine", f"{engine}{seed}{behind}{', with pruning' if 'prune' in settings else ''}")
    hosts = {trial.owner.partition(":")[0] for trial in finished if trial.owner}
    workers = {trial.owner for trial in finished if trial.owner}
    if workers:
        version = settings.get("version of hyperparton")
        by = f", by hyperparton {version}" if version else ""
        together = f", {counted(most, 'trial')} at once at most" if (most := _at_once(finished)) > 1 else ""
        yield About("Computing", f"{counted(len(workers), 'job')} on {counted(len(hosts), 'machine')}{together}{by}")
    times = [trial.seconds for trial in finished if trial.seconds is not None]
    if times:
        each = _hours(sum(times) / len(times))
        yield About("Time", f"{_hours(sum(times))} in all trials, {each} a trial{_from_to(finished)}")


def _at_once(trials: Sequence[Trial]) -> int:
    """How many trials ran together at most: a job that has workers signs the trials of all of them."""
    return len(lanes((t.begin, t.end, t) for t in trials if t.begin is not None and t.end is not None))


def _from_to(trials: Sequence[Trial]) -> str:
    begins = [trial.begin for trial in trials if trial.begin is not None]
    ends = [trial.end for trial in trials if trial.end is not None]
    return f", {_hours(max(ends) - min(begins))} from the first start to the last end" if begins and ends else ""


def _hours(seconds: float) -> str:
    """A time in the unit that a person would take."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"
