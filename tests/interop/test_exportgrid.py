"""Exported PDFs: n3fit's nodes, and flavours against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.interop.exportgrid import LABELS, export_grid, export_nodes, flavours

#: nodes of n3fit's grid by their place, from the file of a fit by n3fit 4.1.5
NODES = {
    0: 1e-9, 1: 1.29708482343957e-09, 50: 4.39234443000422e-04, 64: 1.18876139251364e-02, 100: 2.25880487124065e-01,
    194: 9.91610196150662e-01, 195: 1.0,
}  # fmt: skip


def test_the_nodes_are_n3fits():
    x = export_nodes()
    assert len(x) == 196
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == (1e-9, 1.0)
    for place in (1, 50, 64, 100, 194):
        assert x[place] == pytest.approx(NODES[place], rel=2e-12)


def evolution(quarks, gluon, photon):
    """The evolution basis of x f of (u, d, s, c, b, t) and their antiquarks, (12, x): its definition in words."""
    plus, minus = quarks[:6] + quarks[6:], quarks[:6] - quarks[6:]
    found = {"photon": photon, "g": gluon, "sigma": plus.sum(axis=0), "v": minus.sum(axis=0)}
    for n, number in enumerate((3, 8, 15, 24, 35), start=1):
        found[f"t{number}"] = plus[:n].sum(axis=0) - n * plus[n]
        found[f"v{number}"] = minus[:n].sum(axis=0) - n * minus[n]
    return np.stack([found[name] for name in EVOLUTION_BASIS], axis=-1)


def test_flavours_of_the_evolution_basis():
    rng = np.random.default_rng(4)
    quarks, gluon, photon = rng.normal(size=(12, 5)), rng.normal(size=5), rng.normal(size=5)
    found = dict(zip(LABELS, flavours(evolution(quarks, gluon, photon)).T, strict=True))
    for i, name in enumerate("UDSCBT"):
        assert found[name] == pytest.approx(quarks[i], abs=1e-14)
        assert found[f"{name}BAR"] == pytest.approx(quarks[6 + i], abs=1e-14)
    assert found["GLUON"] == pytest.approx(gluon)
    assert found["PHT"] == pytest.approx(photon)


def test_flavours_above_q0_are_zero_to_the_last_bit():
    working = np.random.default_rng(5).normal(size=(7, 8))
    from hyperparton.pdf.bases import working_to_evolution

    found = dict(zip(LABELS, flavours(working @ working_to_evolution().T).T, strict=True))
    for name in ("B", "BBAR", "T", "TBAR", "PHT"):
        assert (found[name] == 0.0).all()
    assert found["C"] == pytest.approx(found["CBAR"], abs=1e-15)  # no intrinsic charm asymmetry


def test_the_file():
    x, xf = np.array([1e-9, 0.1, 1.0]), np.arange(42.0).reshape(3, 14)
    read = YAML(typ="safe", pure=True).load(export_grid(7, 1.65, x, xf))
    assert list(read) == ["replica", "q20", "xgrid", "labels", "pdfgrid"]
    assert (read["replica"], read["q20"], read["labels"]) == (7, 1.65**2, list(LABELS))
    assert read["xgrid"] == x.tolist()
    assert np.array(read["pdfgrid"]) == pytest.approx(flavours(xf), rel=1e-15)
