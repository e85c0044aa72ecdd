"""Exchange with n3fit and its tools: PDFs at the initial scale, numbers for postfit, saved weights, n3fit's trainer."""

from hyperparton.interop.exportgrid import export_grid, export_nodes
from hyperparton.interop.fitinfo import arc_lengths, integrability_numbers
from hyperparton.interop.weights import read_weights, write_weights

__all__ = [
    "arc_lengths",
    "export_grid",
    "export_nodes",
    "integrability_numbers",
    "read_weights",
    "write_weights",
]
