"""Engines suggest trials from past trials and a seed; each library is loaded when its engine is asked for.

An engine's name may end with a quasi-random start: `hyperopt+sobol` takes its first trials, as many as the engine
would draw at random, from a Sobol sequence; `hyperopt+sobol32` the first 32. `random+sobol` is the sequence alone.
"""

from __future__ import annotations

import re
from importlib import import_module

from hyperparton.engines.base import Engine, trial_seed
from hyperparton.engines.quasirandom import SEQUENCES, QuasiRandomStart
from hyperparton.errors import EngineError, nearest, unknown

__all__ = ["ENGINES", "Engine", "check_engine", "get_engine", "trial_seed"]

#: name, module and class of each engine; the name is what `--engine` accepts, alone or with a quasi-random start
ENGINES = {
    "gp": ("gp", "GaussianProcessEngine"),
    "hyperopt": ("hyperopt", "HyperoptEngine"),
    "optuna": ("optuna", "TPEEngine"),
    "optuna:cmaes": ("cmaes", "CmaEsEngine"),
    "random": ("random", "RandomEngine"),
}

#: names that older scans may have -> why there is no such engine any more
_GONE = {"optuna:gp": "it needed torch"}

_START = re.compile(rf"({'|'.join(SEQUENCES)})([1-9]\d{{0,4}})?")


def check_engine(name: str) -> None:
    """Raise EngineError for a name that `get_engine` does not know; no library is loaded."""
    _parse(name)


def get_engine(name: str, scan_seed: int = 0) -> Engine:
    """A new engine by its name; a quasi-random start is scrambled from `scan_seed`.

    Raises EngineError for a name that is not known.
    """
    base, sequence, start = _parse(name)
    module, class_name = ENGINES[base]
    engine = getattr(import_module(f"{__name__}.{module}"), class_name)()
    return engine if sequence is None else QuasiRandomStart(engine, sequence, start or engine.start, scan_seed)


def _parse(name: str) -> tuple[str, str | None, int | None]:
    """(engine, sequence, trials of the sequence) of a name."""
    base, plus, start = name.partition("+")
    if base in _GONE:
        raise EngineError(
            f"the engine {base!r} is gone ({_GONE[base]}): a scan begun with it cannot be continued, but a scan in "
            f"another folder can learn from its trials (--from); accepted: {', '.join(ENGINES)}"
        )
    if base not in ENGINES:
        raise EngineError(unknown("engine", base, ENGINES))
    if not plus:
        return base, None, None
    match = _START.fullmatch(start)
    if match is None:
        accepted = ", ".join(f"{base}+{sequence}" for sequence in SEQUENCES)
        raise EngineError(
            f"unknown start {start!r} of an engine{nearest(start, SEQUENCES)}, accepted: {accepted}, "
            f"with or without a number of trials"
        )
    return base, match[1], int(match[2]) if match[2] else None
