"""The small fits of tests/fit, for the losses that are made of them."""

import runpy
from pathlib import Path

_FITS = runpy.run_path(str(Path(__file__).parents[1] / "fit" / "conftest.py"))
make_card, data, setup, fit, parameters, leaves = (
    _FITS[name] for name in ("make_card", "data", "setup", "fit", "parameters", "leaves")
)
