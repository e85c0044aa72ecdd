"""Exchange with n3fit and its tools: PDFs at the initial scale, numbers for postfit, saved weights, n3fit's trainer.

The names are loaded when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperparton.lazy import lazy_names

if TYPE_CHECKING:
    from hyperparton.interop.exportgrid import export_grid, export_nodes
    from hyperparton.interop.fitinfo import arc_lengths, integrability_numbers
    from hyperparton.interop.hyper_scan import hyper_scan_wrapper
    from hyperparton.interop.weights import read_weights, write_weights

__all__ = [
    "arc_lengths",
    "export_grid",
    "export_nodes",
    "hyper_scan_wrapper",
    "integrability_numbers",
    "read_weights",
    "write_weights",
]

#: public name -> the module that is loaded for it
_HOMES = {
    "arc_lengths": "fitinfo",
    "export_grid": "exportgrid",
    "export_nodes": "exportgrid",
    "hyper_scan_wrapper": "hyper_scan",
    "integrability_numbers": "fitinfo",
    "read_weights": "weights",
    "write_weights": "weights",
}


__getattr__ = lazy_names(__name__, _HOMES)
