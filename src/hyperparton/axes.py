"""The axes of arrays, by the one word that docstrings and comments use: `(rep, x, flav)` is an array of three axes.

A test reads the docstrings and comments of `data`, `nn`, `pdf`, `fit` and `hyperloss` and accepts these words alone.
In a shape a number is the length of an axis without a name, `a*b` is one axis that runs over both with `b` the faster,
and an axis in brackets is there in some cases only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["AXES"]

#: axis -> what it counts
AXES: Mapping[str, str] = MappingProxyType(
    {
        "trial": "Trials of a scan, each with hyperparameters of its own.",
        "fold": "Folds: each hides the data sets of one partition from the fit.",
        "rep": "Replicas: fits of equal hyperparameters with other seeds and, if asked for, other pseudodata.",
        "fit": "A replica of a fold: fold × rep, fold after fold; all trials fit the same data there.",
        "model": "Networks that are trained: trial × fold × rep, trial after trial; in a chunk, fit after fit.",
        "flav": "PDFs that the network parametrises: the elements of the fit basis.",
        "working": "PDFs at Q0 to which a fit basis is rotated, `pdf.bases.working_basis`: eight, or nine with V15.",
        "evol": "The 14 PDFs of the evolution basis, `data.types.EVOLUTION_BASIS`.",
        "x": "Values of the momentum fraction.",
        "feature": "Numbers of which predictions are linear: combinations of PDF values, then non-linear predictions.",
        "row": "Mixed rows: sums of the rows of hadronic FK tables, and what they predict.",
        "col": "PDF values that mixed rows act on: working*x on the part of the grid that hadronic tables have.",
        "comb": "Combinations of the columns `col` on which the second order of mixed rows acts.",
        "net": "PDFs of the sample by which rows are mixed.",
        "dat": "Data points.",
        "mode": "Eigenmodes of the correlation matrix of data.",
        "set": "Positivity or integrability sets.",
        "chan": "Channels of an FK table: a PDF for one proton, a pair of PDFs for two.",
        "unc": "Uncertainties of a data set, each a source of errors of its points.",
        "member": "Members of a PDF set.",
        "layer": "Layers of a network, from the first hidden one to the output.",
        "node": "Nodes of a layer; nodes of a quadrature.",
        "in": "Nodes that a layer reads: those of the layer before it, or the network's inputs.",
        "out": "Nodes that a layer computes.",
        "epoch": "Epochs of the training.",
        "push": "Intervals of 100 epochs, at whose ends Lagrange multipliers grow and chi2 are kept.",
        "coefficient": "Coefficients of the common update of optimizers, `nn.optimizers.COEFFICIENTS`.",
    }
)
