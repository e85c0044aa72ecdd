"""Figures of a report. Each function takes numbers and returns a figure; none knows how a scan is read or written."""

from hyperparton.report.plots.convergence import (
    plot_convergence,
    plot_failures,
    plot_folds,
    plot_running_averages,
    plot_workers,
)
from hyperparton.report.plots.fits import plot_chi2_by_set, plot_data, plot_learning, plot_pdfs
from hyperparton.report.plots.parameters import (
    plot_dependence,
    plot_importances,
    plot_parallel,
    plot_scatter,
    plot_violins,
)
from hyperparton.report.plots.style import Figure, save_pdf, svg_element, svg_text

__all__ = [
    "Figure",
    "plot_chi2_by_set",
    "plot_convergence",
    "plot_data",
    "plot_dependence",
    "plot_failures",
    "plot_folds",
    "plot_importances",
    "plot_learning",
    "plot_parallel",
    "plot_pdfs",
    "plot_running_averages",
    "plot_scatter",
    "plot_violins",
    "plot_workers",
    "save_pdf",
    "svg_element",
    "svg_text",
]
