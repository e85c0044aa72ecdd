"""The answers of a report: what is best and by how much, is the scan converged, what matters, what failed and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hyperparton.report.convergence import ENOUGH, Convergence, Failure, folds_saved
from hyperparton.report.expected_gain import Gain
from hyperparton.report.hyperparameters import Column, describe_values
from hyperparton.report.importance import HINT, MATTERS, NO_DIFFERENCE, TOO_FEW, Importance
from hyperparton.report.losses import Loss, median_of, relative, replica_error
from hyperparton.report.verdicts import margin_sentence, verdict_sentence
from hyperparton.text import counted
from hyperparton.trials.trial import Trial, ranked
from hyperparton.trials.verdict import Verdict

__all__ = ["Finding", "findings"]

#: a scan is converged if further trials are expected to gain less than this part of the loss
_TOLERANCE = 0.01

#: names that a sentence lists at most
_LISTED = 12

#: where a sentence ends
_SENTENCE = re.compile(r"(?<=[.?!]) (?=[A-Z0-9χ])")

#: categories with few trials that are said of a hyperparameter at most
_PARTS = 4


@dataclass(frozen=True)
class Finding:
    """A question and its answer; `key` names it for programs."""

    key: str
    question: str
    answer: str
    section: str = ""
    """the part of the page that has more on it"""

    @property
    def lead(self) -> str:
        """The first sentence of the answer."""
        return _SENTENCE.split(self.answer, maxsplit=1)[0]

    @property
    def rest(self) -> str:
        """What follows the first sentence."""
        return self.answer[len(self.lead) :].strip()


def findings(
    trials: Sequence[Trial],
    columns: Sequence[Column],
    loss: Loss,
    convergence: Convergence,
    entries: Sequence[Importance],
    causes: Sequence[Failure],
    verdicts: Sequence[Verdict] = (),
    gain: Gain | None = None,
    own: int | None = None,
) -> list[Finding]:
    """The five answers, from the trials that the report is about and the `columns` of the finished ones.

    `gain` is what more trials are expected to bring, and `own` the trial with the runcard's own parameters.

    `verdicts` are on the trials that were fitted again, the best first.
    """
    return [
        Finding("best", "Which methodology is best?", _best(trials, columns, loss, verdicts), "best"),
        Finding("margin", "By how much?", _margin(trials, loss, verdicts, own), "again" if verdicts else "trials"),
        Finding("converged", "Is the scan converged?", _converged(convergence, gain), "convergence"),
        Finding("matters", "Which hyperparameters matter?", _matters(entries, columns), "importances"),
        Finding("failed", "What failed, and why?", _failed(trials, causes), "failures"),
    ]


def _best(trials: Sequence[Trial], columns: Sequence[Column], loss: Loss, verdicts: Sequence[Verdict]) -> str:
    order = ranked(trials, loss)
    if not order:
        return "No trial has succeeded."
    names = [column.name for column in columns]
    by_number = {trial.number: trial for trial, _ in order}
    if verdicts and verdicts[0].trial in by_number:
        values = describe_values(by_number[verdicts[0].trial], names) or "all trials share their hyperparameters"
        return f"{verdict_sentence(verdicts)} It has {values}."
    best, value = order[0]
    values = describe_values(best, names)
    return (
        f"Trial {best.name}, with a {loss.label} of {value:.4g}: {values or 'all trials share their hyperparameters'}."
    )


def _margin(trials: Sequence[Trial], loss: Loss, verdicts: Sequence[Verdict], own: int | None) -> str:
    order = ranked(trials, loss)
    if verdicts and any(trial.number == verdicts[0].trial for trial, _ in order):
        return margin_sentence(verdicts, own)
    if len(order) < 2:
        return "There is no second successful trial to compare with."
    value, (second, next_value) = order[0][1], order[1]
    middle = median_of([number for _, number in order])
    sentences = [
        f"The next one, trial {second.name}, has {next_value:.4g}{_percent(value, next_value)}; the median of "
        f"{counted(len(order), 'successful trial')} is {middle:.4g}."
    ]
    if loss.measure in ("scan", "validation", "experimental"):
        sentences.append(_distinguished(order, "validation" if loss.measure == "scan" else loss.measure))
    return " ".join(sentences)


def _distinguished(order: Sequence[tuple[Trial, float]], measure: str) -> str:
    """Whether replicas on the same folds would change the order of the best trials."""
    error = replica_error(order[0][0], measure)
    if error is None:
        return "Without several replicas per fold, the scan does not say how much chance alone changes."
    close = sum(1 for _, other in order[1:] if other - order[0][1] < 2 * error)
    return (
        f"Other replicas would change the best trial's {measure} χ² by ±{error:.2g} (standard error over folds and "
        f"replicas); {_count(close, 'other trial lies', 'other trials lie')} within twice that of the best loss"
        + (": this scan cannot tell them apart." if close else ".")
    )


def _percent(best: float, other: float) -> str:
    part = relative(other - best, best)
    return "" if part is None else f", {100 * part:.2g} % more"


def _converged(convergence: Convergence, gain: Gain | None) -> str:
    where, count = convergence.last_improvement, len(convergence.trials)
    if where is None:
        return "No trial has succeeded."
    came = f"The best loss came with trial {where + 1} of {count} to finish."
    if convergence.successful < ENOUGH:
        return f"Not known yet: fewer than {ENOUGH} trials succeeded. {came}"
    if gain is None:
        return f"Not known: no hyperparameter differs between the trials. {came}"
    size = max(abs(gain.best), gain.scale)
    mean, up_to = relative(gain.mean, size), relative(gain.mean + gain.spread, size)
    answer = "No"
    if mean is None or mean < _TOLERANCE:
        answer = "Yes" if up_to is None or up_to < _TOLERANCE else "Nearly"
    part = "" if mean is None else f" ({100 * max(mean, 0.0):.2g} %)"
    return (
        f"{answer}: by a model of all trials, {_count(gain.trials, 'more trial', 'more trials')}, well chosen, would "
        f"lower the mean loss of the best methodology by {max(gain.mean, 0.0):.2g} ± {gain.spread:.2g}{part}. "
        f"The model predicts {gain.best:.4g} for it now. {came}"
    )


def _matters(entries: Sequence[Importance], columns: Sequence[Column]) -> str:
    judged = {entry.name for entry in entries}
    left_out = [(column.name, int(column.applies.sum())) for column in columns if column.name not in judged]
    if not entries and not left_out:
        return "No hyperparameter differs between the trials."
    by_answer = {answer: [e for e in entries if e.answer == answer] for answer in (MATTERS, HINT, NO_DIFFERENCE)}
    sure = [entry.name for entry in by_answer[MATTERS]]
    sentences = []
    if sure:
        sentences.append(
            f"{_listed(sure)}: here the best quarter of the trials differs from all trials by more than chance."
        )
    elif entries:
        sentences.append(
            "None for sure: the best quarter of the trials differs from all trials by no more than chance can give "
            f"among {counted(len(entries), 'hyperparameter')}."
        )
    if by_answer[HINT]:
        sentences.append(f"There are hints of {_listed([entry.name for entry in by_answer[HINT]])}.")
    if by_answer[NO_DIFFERENCE]:
        sentences.append(f"No difference seen: {_listed([_but_for(entry) for entry in by_answer[NO_DIFFERENCE]])}.")
    few = [_sampled(e.name, e.trials, e.hardly_sampled) for e in entries if e.answer == TOO_FEW]
    few += [_sampled(name, count, ()) for name, count in left_out]
    if few:
        sentences.append(f"Sampled too little to tell: {_listed(few)}.")
    return " ".join(sentences)


def _but_for(entry: Importance) -> str:
    few = entry.hardly_sampled
    return f"{entry.name} (too few to tell: {_parts(few)})" if few else entry.name


def _sampled(name: str, count: int, few: Sequence[tuple[str, int]]) -> str:
    of_them = f", of them {_parts(few)}" if few else ""
    return f"{name} ({_count(count, 'trial', 'trials')}{of_them})"


def _parts(parts: Sequence[tuple[str, int]]) -> str:
    shown = [f"{count or 'none'} {where}" for where, count in parts]
    more = [f"{len(shown) - _PARTS} more"] if len(shown) > _PARTS else []
    return ", ".join([*shown[:_PARTS], *more])


def _failed(trials: Sequence[Trial], causes: Sequence[Failure]) -> str:
    finished = sum(1 for trial in trials if trial.finished)
    restarted = [trial for trial in trials if trial.attempts > 1]
    if causes:
        total = sum(len(failure.trials) for failure in causes)
        sentences = [f"{total} of {counted(finished, 'trial')} failed."]
        sentences += [
            f"{_count(len(f.trials), 'trial', 'trials')}: {f.cause} (for example {_short(f.example)})." for f in causes
        ]
    else:
        sentences = [f"None of {counted(finished, 'trial')} failed."]
    pruned = [trial for trial in trials if trial.pruned]
    if pruned:
        saved = sum(trial.epochs_saved or 0 for trial in pruned)
        spared = f", which saved at most {counted(saved, 'epoch')}" if saved else ""
        sentences.append(f"{_count(len(pruned), 'trial was', 'trials were')} stopped before the end{spared}.")
    if restarted:
        sentences.append(
            f"{_count(len(restarted), 'trial was', 'trials were')} started again after a worker had ended."
        )
    saved, fitted = folds_saved(trials)
    if saved:
        sentences.append(
            f"Stopping at the first fold over the threshold saved {saved} of {counted(saved + fitted, 'fold')}."
        )
    return " ".join(sentences)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."


def _count(number: int, one: str, more: str) -> str:
    return counted(number, one, more) if number else f"no {more}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _LISTED:
        names = [*names[: _LISTED - 1], f"{len(names) - _LISTED + 1:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
