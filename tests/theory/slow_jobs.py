"""Runs jobs that take a while, to be stopped: ``python slow_jobs.py FOLDER``; see test_stopped.py."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import read_card
from hyperparton.theory.jobs import Job
from hyperparton.theory.pool import run_jobs


@dataclass(frozen=True)
class SlowJob(Job):
    number: int

    @property
    def label(self) -> str:
        return f"slow-{self.number}"

    @property
    def cost(self) -> float:
        return 1.0

    def depends_on(self) -> dict[str, Any]:
        return {"slow": self.number}

    def compute(self) -> Mapping[str, np.ndarray]:
        time.sleep(0.2)
        return {"values": np.random.default_rng(self.number).normal(size=200_000)}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started without it
    card = read_card("40000000")
    jobs = [SlowJob(card, number) for number in range(8)]
    run_jobs(jobs, PieceCache(Path(sys.argv[1])), 2, lambda progress: print(progress, flush=True))
