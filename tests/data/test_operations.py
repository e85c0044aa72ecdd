"""NNPDF's operations against their closed forms, and against what the data sets of nnpdf-data ask for."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hyperparton.data.commondata import DEFAULT_PATH_VPDATA, find_metadata, operands_of
from hyperparton.data.operations import OPERATIONS, find_operation, operate
from hyperparton.errors import DataError

VALUES = np.random.default_rng(3).uniform(0.5, 2.0, (20, 2, 3))

#: operation -> number of tables, closed form; the formulas are those of validphys
CLOSED_FORMS = {
    "NULL": (1, lambda v: v[0]),
    "ADD": (2, lambda v: v[0] + v[1]),
    "SMT": (10, lambda v: v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7] + v[8] + v[9]),
    "RATIO": (2, lambda v: v[0] / v[1]),
    "ASY": (2, lambda v: (v[0] - v[1]) / (v[0] + v[1])),
    "SMN": (4, lambda v: (v[0] + v[1]) / (v[2] + v[3])),
    "COM": (
        20,
        lambda v: (
            (v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7] + v[8] + v[9])
            / (v[10] + v[11] + v[12] + v[13] + v[14] + v[15] + v[16] + v[17] + v[18] + v[19])
        ),
    ),
}


def test_every_operation_has_a_closed_form_here():
    assert {name: known.operands for name, known in OPERATIONS.items()} == {n: k for n, (k, _) in CLOSED_FORMS.items()}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms_with_numpy_and_jax(name):
    count, formula = CLOSED_FORMS[name]
    values = list(VALUES[:count])
    np.testing.assert_array_equal(operate(name, values), formula(values))
    single = [jnp.asarray(value, jnp.float32) for value in values]
    compiled = jax.jit(lambda v: operate(name, v))(single)
    assert compiled.dtype == jnp.float32
    np.testing.assert_allclose(compiled, formula(values), rtol=1e-5)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_sums_are_linear_and_the_others_are_not(name):
    values = VALUES[: CLOSED_FORMS[name][0]]
    scaled = values * np.array([2.0, *[3.0] * (len(values) - 1)])[:, None, None]
    if OPERATIONS[name].linear:
        np.testing.assert_allclose(operate(name, list(scaled)), 2 * values[0] + 3 * values[1:].sum(axis=0))
    else:
        np.testing.assert_allclose(operate(name, list(3 * values)), operate(name, list(values)))


def test_a_table_of_one_point_serves_all_points():
    np.testing.assert_array_equal(operate("RATIO", [VALUES[0], VALUES[1, :, :1]]), VALUES[0] / VALUES[1, :, :1])


@pytest.mark.parametrize(("name", "count"), [("RATI", 2), ("RATIO", 1), ("ADD", 1), ("ADD", 3), ("NULL", 2)])
def test_another_operation_or_number_of_tables_is_refused(name, count):
    accepted = "NULL of 1, ADD of 2, SMT of 10, RATIO of 2, ASY of 2, SMN of 4, COM of 20"
    with pytest.raises(DataError, match=f"SET: FK tables are joined by {name} of {count}, accepted: {accepted}"):
        find_operation("SET", name, count)


@pytest.mark.parametrize(
    ("dataset", "operation"),
    [
        ("CMS_SINGLETOP_7TEV_TCHANNEL-XSEC", "ADD"),
        ("CMS_WCHARM_13TEV_WPWM-TOT-UNNORM", "ADD"),
        ("CMS_WPWM_7TEV_ELECTRON_ASY", "ASY"),
        ("DYE906_Z0_120GEV_DW_PDXSECRATIO", "COM"),
        ("NMC_NC_NOTFIXED_EM-F2", "RATIO"),
        ("SLAC_NC_NOTFIXED_P_EM-F2", "NULL"),
    ],
)
def test_data_sets_ask_for_these_numbers_of_tables(dataset, operation):
    operands = operands_of(find_metadata(dataset, with_data=False))
    assert operands.operation == operation
    assert find_operation(dataset, operation, len(operands.operands)).operands == len(operands.operands)


def test_every_operation_of_nnpdf_data_but_those_of_polarised_positivity_is_known():
    asked = set()
    for path in DEFAULT_PATH_VPDATA.glob("*/metadata.yaml"):
        asked |= set(re.findall(r"^\s*operation:\s*['\"]?(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name.upper() for name in asked} - OPERATIONS.keys() <= {"NONE", "SUBTRACT_ABS", "SUBTRACT_ABSPAIR"}
