"""Reports of scans: numbers, figures, one page. Figures and page are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperparton.lazy import lazy_names
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

__getattr__ = lazy_names(__name__, {"render": "write", "write_report": "write"})
