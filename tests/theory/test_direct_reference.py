"""The tables that ship against predictions without tables; see make_direct_reference.py.  Needs no extra."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperparton.data.theory import SHIPPED
from hyperparton.theory.check import table_predictions

REFERENCE = json.loads((Path(__file__).parent / "data" / "direct_reference.json").read_text(encoding="utf-8"))
CASES = [(theory, table) for theory, tables in REFERENCE.items() for table in tables]


@pytest.mark.parametrize(("theory", "table"), CASES)
def test_prediction_of_a_point(theory, table):
    expected = REFERENCE[theory][table]
    predictions = table_predictions(SHIPPED / f"theory_{theory}", table)
    assert predictions[expected["row"]] == pytest.approx(expected["value"], rel=2e-4)
