"""What the re-fits of a scan say, in words and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hyperparton.report.tables import Table
from hyperparton.text import counted
from hyperparton.trials.second_choice import Compared, SecondChoice
from hyperparton.trials.verdict import ALLOWED, CONFIDENCE, Verdict

__all__ = ["margin_sentence", "named", "verdict_sentence", "verdict_table", "verdict_text"]


def named(verdicts: Sequence[Verdict]) -> str:
    """How messages call the methodology that a scan names."""
    if not verdicts:
        return "the best trial"
    best = verdicts[0]
    return f"trial {best.trial}" if best.stable else f"trial {best.trial}, whose fits fail now and then"


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The trials that were fitted again, the best first."""
    names = ("trial", "replicas", "failed", "mean loss", "error", "phi2", "worse than the best")
    body = [
        (
            v.trial, v.replicas, v.failed, _known(v.mean), _known(v.error), v.phi2,
            None if v is verdicts[0] else "yes" if v.told or not v.stable else "not told",
        )
        for v in verdicts
    ]  # fmt: skip
    return Table.of(names, body)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def verdict_sentence(verdicts: Sequence[Verdict]) -> str:
    """The best by the re-fits, and how sure that is."""
    best, others = verdicts[0], verdicts[1:]
    if not best.stable:
        return _none_stable(best, others)
    most = max(v.replicas for v in verdicts)
    before = ""
    if best.replicas < most:
        failed = ", ".join(f"trial {v.trial} failed in {v.failed}" for v in verdicts if v.replicas == most)
        before = f"None of those with {counted(most, 'replica')} is stable: {failed}. "
    which = "is the best" if best.replicas == most else "is the best that may be stable"
    return (
        f"{before}Fitted again with {counted(best.replicas, 'other replica')}, trial {best.trial} {which}: mean loss "
        f"{best.mean:.4g} ± {_error(best.error)}, {best.failed} of {counted(best.replicas, 'fit')} failed (in truth at "
        f"most {best.share_limit:.0%} of its fits fail, with {CONFIDENCE:.0%} confidence)."
        f"{_why(best.choice)}"
    )


def _why(choice: SecondChoice | None) -> str:
    """Which rule chose the best, where both chi2 and phi2 are asked, and by which numbers."""
    if choice is None:
        return ""
    beside = {each.trial: each for each in choice.compared}
    if choice.by_phi2:
        chosen = beside[choice.chosen]
        return (
            f" phi2 decided: {_nearly(chosen)} than that of trial {choice.lowest}, which is lowest, and its phi2 on "
            f"the hidden folds is {_part(chosen)} larger."
        )
    if not beside:
        return " χ² decided: no other stable trial with as many replicas comes within the error of its mean loss."
    told = "; ".join(f"{_nearly(each)}, its phi2 {_part(each)} larger" for each in choice.compared)
    return f" χ² decided, for none within its error has a phi2 that is larger by more than chance: {told}."


def _nearly(each: Compared) -> str:
    return f"the mean loss of trial {each.trial} is {each.loss:.2g} ± {each.loss_error:.2g} higher"


def _part(each: Compared) -> str:
    if not math.isfinite(each.phi2):
        return "by an unknown part"
    error = f"{100 * each.phi2_error:.2g} %" if math.isfinite(each.phi2_error) else "unknown"
    return f"{100 * each.phi2:.2g} % ± {error}"


def margin_sentence(verdicts: Sequence[Verdict], own: int | None = None) -> str:
    """By how much the best is better than the next one and than the user's `own`, and which cannot be told from it."""
    best, others = verdicts[0], verdicts[1:]
    if not others:
        return "No other trial was fitted again."
    alike = [v.trial for v in others if v.stable and not v.told]
    unstable = [v.trial for v in others if not v.stable]
    sentences = [
        _beyond(best, others[0]),
        f"Not told from trial {best.trial} are {len(alike)} of {counted(len(others), 'other')}: {_trials(alike)}."
        if alike
        else f"Of {counted(len(others), 'other')} none is both stable and not told from trial {best.trial}.",
    ]
    if unstable:
        sentences.append(f"Not stable: {_trials(unstable)}.")
    return " ".join([*sentences, *_beside_own(verdicts, own)])


def _beside_own(verdicts: Sequence[Verdict], own: int | None) -> list[str]:
    """What is gained over the runcard's own methodology, if that was fitted again."""
    best, place = verdicts[0], {verdict.trial: verdict for verdict in verdicts}
    if own not in place:
        return []
    if own == best.trial:
        return [f"Trial {own} is the runcard's own methodology, as near as the search space has it."]
    verdict = place[own]
    failed = (
        f"The runcard's own methodology, trial {own}, failed in {verdict.failed} of {counted(verdict.replicas, 'fit')}"
    )
    if not math.isfinite(verdict.difference_error):
        return [f"{failed}, which have no loss or one far above those of trial {best.trial}."]
    more = "larger" if verdict.difference >= 0 else "smaller"
    return [
        f"{failed}, and the mean loss of the others is {more} by {abs(verdict.difference):.2g} ± "
        f"{verdict.difference_error:.2g}."
    ]


def _beyond(best: Verdict, other: Verdict) -> str:
    """The difference of one from the best, in pairs, and whether it is more than chance."""
    if not math.isfinite(other.difference_error):
        return f"The next one, trial {other.trial}, has too few fits that did not fail to compare it."
    more = "larger" if other.difference >= 0 else "smaller"
    replicas = min(best.replicas, other.replicas)
    return (
        f"The mean loss of the next one, trial {other.trial}, is {more} by {abs(other.difference):.2g} ± "
        f"{other.difference_error:.2g} on the {counted(replicas, 'replica')} that both have: "
        f"{'more than chance' if other.told else 'no more than chance can give'}."
    )


def _none_stable(best: Verdict, others: Sequence[Verdict]) -> str:
    """The one that is expected to fail least, and those that have too few replicas to say that they fail less."""
    few = [v for v in others if v.stable]
    too_few = (
        f" Too few replicas to name it instead: {_trials([v.trial for v in few])}, without a failed fit in at most "
        f"{max(v.replicas for v in few)}." if few else ""
    )  # fmt: skip
    return (
        f"No methodology is known to be stable: of {counted(len(others) + 1, 'trial')} fitted again, trial "
        f"{best.trial} is expected to fail least. It failed in {best.failed} of {counted(best.replicas, 'fit')} "
        f"({best.share:.0%}; {ALLOWED:.1%} is allowed).{too_few}"
    )


def _trials(numbers: Sequence[int]) -> str:
    return f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _error(error: float) -> str:
    return f"{error:.2g}" if math.isfinite(error) else "unknown"


def verdict_text(verdicts: Sequence[Verdict], width: int | None = None, own: int | None = None) -> str:
    """The sentences, and the table for a terminal that has `width` letters in a line; `own` as in `margin_sentence`."""
    return f"{verdict_sentence(verdicts)}\n{margin_sentence(verdicts, own)}\n{verdict_table(verdicts).text(width)}"
