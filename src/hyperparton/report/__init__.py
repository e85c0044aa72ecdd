"""Reports of scans: numbers, figures, one page. Figures and page are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperparton.report.losses import Loss
from hyperparton.report.scans import Scan, combined, read_scan, read_scans
from hyperparton.report.summary import Options, Summary, summarise

if TYPE_CHECKING:
    from hyperparton.report.write import render, write_report

__all__ = [
    "Loss",
    "Options",
    "Scan",
    "Summary",
    "combined",
    "read_scan",
    "read_scans",
    "render",
    "summarise",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in ("render", "write_report"):
        from hyperparton.report import write

        return getattr(write, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
