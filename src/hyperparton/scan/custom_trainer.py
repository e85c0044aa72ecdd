"""Trainers of the user's own: `trainer: module:factory` in a card.

The factory is called with the card's content, a dictionary, and returns an object with the two methods of `Trainer`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hyperparton.errors import ScanError
from hyperparton.scan.trainer import Trainer, missing_method

__all__ = ["load_trainer"]


def load_trainer(name: str, content: Mapping[str, Any], folder: Path | None = None) -> Trainer:
    """The trainer that the factory `name` (``module:factory``) makes of a card's `content`.

    Modules in `folder`, the card's own, go before installed ones. Raises ScanError naming what is not there, what the
    factory raised and where, or which method its result lacks.
    """
    module_name, _, factory_name = name.partition(":")
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = import_module(module_name)
    except ImportError as fault:
        beside = f" (looked in {folder} first)" if folder is not None else ""
        raise ScanError(f"trainer {name}: {fault}{beside}") from fault
    except Exception as fault:
        raise ScanError(f"trainer {name}: importing {module_name} raised {_with_place(fault)}") from fault
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise ScanError(f"trainer {name}: {module_name} has no function {factory_name!r}")
    try:
        trainer: Any = factory(dict(content))
    except Exception as fault:
        raise ScanError(f"trainer {name}: {factory_name} raised {_with_place(fault)}") from fault
    if (method := missing_method(trainer)) is not None:
        raise ScanError(f"trainer {name}: {factory_name} returned a {type(trainer).__name__} without {method}")
    return trainer


def _with_place(fault: Exception) -> str:
    """The exception with its place."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(fault).__name__}: {fault}{place}"
