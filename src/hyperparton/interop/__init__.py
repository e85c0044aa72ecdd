"""Exchange with n3fit and its tools: PDFs at the initial scale, saved weights, n3fit's own trainer."""

from hyperparton.interop.exportgrid import export_grid, export_nodes
from hyperparton.interop.weights import read_weights, write_weights

__all__ = ["export_grid", "export_nodes", "read_weights", "write_weights"]
