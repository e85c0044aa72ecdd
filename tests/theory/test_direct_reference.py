"""The tables that ship against predictions without tables; see make_direct_reference.py.  Needs no extra."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data.theory_folder import SHIPPED
from hyperparton.theory.card import read_card
from hyperparton.theory.check import table_predictions
from hyperparton.theory.evolution import nodes_for
from hyperparton.theory.observables import DISTable
from hyperparton.theory.plan import KinematicLimits, expand_datasets, plan_tables

REFERENCE = json.loads((Path(__file__).parent / "data" / "direct_reference.json").read_text(encoding="utf-8"))
THEORIES = [key for key in REFERENCE if key.isdecimal()]
TABLES = [(theory, table) for theory in THEORIES for table in REFERENCE[theory]["predictions"]]


@pytest.fixture(scope="module")
def planned():
    return plan_tables(expand_datasets(["all"]), KinematicLimits())


def test_every_table_of_a_structure_function_is_there(planned):
    names = {table.name for table in planned if isinstance(table.kind, DISTable)}
    assert len(names) == 36
    assert all(set(REFERENCE[theory]["predictions"]) == names for theory in ("40000000", "208"))


@pytest.mark.parametrize(("theory", "table"), TABLES)
def test_predictions_of_the_shipped_tables(theory, table):
    predictions = table_predictions(SHIPPED / f"theory_{theory}", table)
    for row, _, _, expected in REFERENCE[theory]["predictions"][table]:
        assert predictions[row] == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("nf", [3, 4, 5])
@pytest.mark.parametrize("theory", THEORIES)
def test_interpolation_between_scales(theory, nf):
    reference = REFERENCE[theory]["evolution"][str(nf)]
    nodes = nodes_for(read_card(theory), nf, KinematicLimits().q2min)
    np.testing.assert_allclose(nodes.q2, [q2 for q2, _ in reference["nodes"]], rtol=1e-12)
    at_nodes = np.array([values for _, values in reference["nodes"]])  # (scale, parton, x)
    for q2, exact in reference["exact"]:
        interpolated = np.tensordot(nodes.weights(q2), at_nodes, axes=1)
        np.testing.assert_allclose(interpolated, exact, rtol=1e-5, atol=1e-6, err_msg=f"Q² = {q2}")
