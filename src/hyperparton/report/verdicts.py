"""What the re-fits of a scan say, in words and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hyperparton.report.tables import Table
from hyperparton.trials.verdict import ALLOWED, Verdict

__all__ = ["named", "verdict_sentence", "verdict_table", "verdict_text"]


def named(verdicts: Sequence[Verdict]) -> str:
    """How messages call the methodology that a scan names."""
    return f"trial {verdicts[0].trial}" if verdicts else "the best trial"


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
    """The best by the re-fits, how sure that is, and which others cannot be told from it."""
    best, others = verdicts[0], verdicts[1:]
    if not best.stable:
        return (
            f"No methodology is stable: of {len(verdicts)} trials that were fitted again, trial {best.trial} fails "
            f"least, in {best.failed} of {best.replicas} fits ({best.share:.0%}; {ALLOWED:.1%} is allowed)."
        )
    alike = [str(v.trial) for v in others if v.stable and not v.told]
    beside = f" Not told from it: trial{'s' if len(alike) > 1 else ''} {', '.join(alike)}." if alike else ""
    return (
        f"Fitted again with {best.replicas} other replicas, trial {best.trial} is the best: mean loss "
        f"{best.mean:.4f} ± {_error(best.error)}, {best.failed} of {best.replicas} fits failed.{beside}"
    )


def _error(error: float) -> str:
    return f"{error:.4f}" if math.isfinite(error) else "unknown"


def verdict_text(verdicts: Sequence[Verdict]) -> str:
    """The sentence, and the table for a terminal."""
    return f"{verdict_sentence(verdicts)}\n{verdict_table(verdicts).text()}"
