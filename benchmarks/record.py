"""The numbers of a benchmark as a file from which the manual takes them: `benchmarks/data/NAME.json`.

A page of the manual writes `{{ NAME: live.gp.epochs }}` for a number, `{{ NAME: live.aim | .5f }}` for one in Python's
format, `{{ NAME: rows }}` for the rows of a table, lists of texts, and `{{ NAME }}` for the date, the machine and the
command. `docs/hooks.py` puts them in, and the manual is not built where a file or a number is missing.
"""

from __future__ import annotations

import json
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

__all__ = ["machine", "write_record"]

DATA = Path(__file__).parent / "data"


def machine() -> str:
    """What the numbers were measured on: processor, cores, memory and system."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {cores} core{'s' if cores > 1 else ''}, {memory:.0f} GB, {platform.system()}"


def write_record(
    name: str, numbers: dict[str, Any], *, date: str | None = None, on: str | None = None, note: str = ""
) -> Path:
    """Write `benchmarks/data/NAME.json`; `date` (YYYY-MM-DD) and `on` (see `machine`) are by default now and here."""
    # folders have names that mean something on this machine alone
    given = ["RESULTS" if Path(each).is_dir() else each for each in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *given])
    record = {
        "date": date or f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": on or machine(),
        "command": command,
        "note": note,
        "numbers": numbers,
    }
    path = DATA / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
