"""Figures made of a report's numbers; matplotlib is imported here alone, whatever its user's settings are."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from hyperparton.errors import ReportError

__all__: list[str] = []


def _import_matplotlib() -> None:
    """Import matplotlib; where the settings of its user keep it from that, with its own.

    A matplotlibrc that is no text and a backend that does not exist end the import. Figures use none of either, see
    `plots.style`, but whoever uses matplotlib beside us gets the settings that can be read.
    """
    try:
        import matplotlib
    except ImportError:
        raise
    except Exception:
        _import_with_defaults()
    else:
        del matplotlib


def _import_with_defaults() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]  # what the import that failed has left
    found = find_spec("matplotlib")
    folders = (found.submodule_search_locations if found else None) or ["."]
    kept = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = os.path.join(folders[0], "mpl-data", "matplotlibrc")
    try:
        import matplotlib
    except Exception as fault:  # a matplotlibrc in the current folder goes before all others
        raise ReportError(
            f"matplotlib cannot be loaded: {fault}; is there a damaged file `matplotlibrc` here?"
        ) from fault
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in kept.items() if value is not None})
    del matplotlib


_import_matplotlib()
