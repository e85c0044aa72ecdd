"""What the re-fits of a scan say, in words and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hyperparton.report.tables import Table
from hyperparton.trials.verdict import ALLOWED, Verdict

__all__ = ["named", "verdict_table", "verdict_text"]


def named(verdicts: Sequence[Verdict]) -> str:
    """How messages call the methodology that a scan names."""
    return f"trial {verdicts[0].trial}" if verdicts else "the best trial"


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The trials that were fitted again, the best first."""
    names = ("trial", "replicas", "failed", "mean loss", "error", "phi2", "worse than the best")
    body = [
        (
            v.trial, v.replicas, v.failed, _known(v.mean), _known(v.error), v.phi2,
            "" if v is verdicts[0] else "yes" if v.told or not v.stable else "not told",
        )
        for v in verdicts
    ]  # fmt: skip
    return Table.of(names, body)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def verdict_text(verdicts: Sequence[Verdict]) -> str:
    """The table for a terminal, under a sentence that names the best."""
    best = verdicts[0]
    if not best.stable:
        head = (
            f"no methodology is stable: of {len(verdicts)} trials that were fitted again, trial {best.trial} fails "
            f"least, in {best.failed} of {best.replicas} fits ({best.share:.0%}; {ALLOWED:.1%} is allowed)"
        )
    else:
        head = (
            f"trial {best.trial} is the best when it is fitted again: mean loss {best.mean:.4f} ± {best.error:.4f}, "
            f"{best.failed} of {best.replicas} fits failed"
        )
    return f"{head}\n{verdict_table(verdicts).text()}"
