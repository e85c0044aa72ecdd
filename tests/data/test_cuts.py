"""Cuts against NNPDF's published rules, on made-up points."""

import numpy as np
import pytest

from hyperparton.data.commondata import CommonData, FKOperands
from hyperparton.data.cuts import RuleCuts, added_rule
from hyperparton.data.filter_rules import DEFAULT_RULES
from hyperparton.data.types import Uncertainties
from hyperparton.errors import DataError
from hyperparton.runcard.datacuts import AddedRule, Limits

NNLO = {"PTO": 2, "FNS": "FONLL-C", "IC": 1, "ID": 1}


def _data(process, name="A_B_C_D", legacy=(), central=None, **kinematics):
    arrays = {key: np.array(values, dtype=float) for key, values in kinematics.items()}
    ndata = len(next(iter(arrays.values())))
    none = np.zeros((ndata, 0))
    return CommonData(
        name=name,
        variant=None,
        process=process,
        labels={"experiment": "A"},
        legacy_names=legacy,
        kinematics=arrays,
        central=np.ones(ndata) if central is None else np.array(central),
        uncertainties=Uncertainties(np.ones(ndata), none, (), none, ()),
        theory=FKOperands((("t",),), "NULL", 1.0, {}, {}),
    )


def _kept(data, theory=NNLO, cuts=None, added=()):
    rules = (*DEFAULT_RULES, *(added_rule(AddedRule(**entry)) for entry in added))
    return RuleCuts(theory, cuts or Limits(), rules).kept(data).tolist()


def test_dis_cuts_are_strict_in_q2_and_w2():
    # w2 = Q2 (1 - x) / x: exactly 12.5 at x = 0.5, Q2 = 12.5
    data = _data("DIS_NC", x=[0.1, 0.1, 0.1, 0.5, 0.5], Q2=[3.48, 3.49, 3.5, 12.5, 12.6], y=[0] * 5)
    assert _kept(data) == [2, 4]
    assert _kept(data, cuts=Limits(q2min=0.0, w2min=0.0)) == [0, 1, 2, 3, 4]


def test_charm_needs_q2_above_8_in_fonll_c_with_fitted_charm_only():
    data = _data("DIS_NC_CHARM", x=[0.01] * 3, Q2=[7.9, 8.0, 8.1], y=[0] * 3)
    assert _kept(data) == [2]
    assert _kept(data, {**NNLO, "IC": 0}) == [0, 1, 2]
    assert _kept(data, {**NNLO, "FNS": "FONLL-B"}) == [0, 1, 2]
    small = _data("DIS_NC_CHARM", x=[1e-4, 1e-2], Q2=[5.0, 5.0], y=[0] * 2)
    assert _kept(small, {**NNLO, "FNS": "FONLL-A"}) == [1]


def test_positivity_sets_have_no_cuts_but_added_ones():
    data = _data("POS_XPDF", name="NNPDF_POS_2P24GEV_XUQ", x=[5e-7, 1e-6, 0.9], Q2=[5.0] * 3)
    assert _kept(data) == [0, 1, 2]
    assert _kept(data, added=[{"process_type": "POS_XPDF", "rule": "x > 5.0e-7"}]) == [1, 2]
    assert _kept(data, added=[{"dataset": "NNPDF_POS_2P24GEV_XUQ", "rule": "x < 0.74", "reason": "why"}]) == [0, 1]
    assert _kept(data, added=[{"dataset": "NNPDF_POS_2P24GEV_XDQ", "rule": "x < 0.74"}]) == [0, 1, 2]


def test_rules_hold_for_older_names_too():
    data = _data("DYP", name="NEW_Z0_1_X", legacy=("DYE605",), y=[0.0, 0.0], M2=[10.0, 100.0], sqrts=[38.8, 38.8])
    # tau = M2 / s is 0.0066 and 0.066
    assert _kept(data) == [0, 1]
    assert _kept(data, cuts=Limits(maxTau=0.05)) == [0]


@pytest.mark.parametrize(("order", "kept"), [(1, [0, 1]), (2, [1]), (3, [1])])
def test_orders_of_perturbation_theory(order, kept):
    data = _data("DY_Z_Y", name="LHCB_Z0_7TEV_MUON_Y", y=[2.0, 2.3], M2=[1.0, 1.0], sqrts=[7000.0] * 2)
    assert _kept(data, {**NNLO, "PTO": order}) == kept


@pytest.mark.parametrize(
    ("wanted", "orders"), [("NLO", {1}), ("N2LO-", {0, 1}), ("NNLO!", {0, 1, 3}), ("LO+", {0, 1, 2, 3})]
)
def test_added_rules_can_ask_for_an_order(wanted, orders):
    data = _data("DIS_NC", x=[0.1], Q2=[100.0], y=[0])
    rule = {"dataset": "A_B_C_D", "rule": "x > 1", "PTO": wanted}
    assert {order for order in range(4) if _kept(data, {**NNLO, "PTO": order}, added=[rule]) == []} == orders


def test_points_can_be_cut_by_number_and_by_value():
    data = _data("HQP", name="CMS_TTBAR_8TEV_2L_DIF_MTTBAR-YT-NORM", y_t=[0.0] * 10)
    assert _kept(data) == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    asymmetry = _data("DY", name="D0_WPWM_1P96TEV_ASY", y=[0, 0, 0], central=[0.01, -0.04, 0.03])
    assert _kept(asymmetry) == [1, 2]


def test_local_variables_of_added_rules():
    data = _data("DIS_NC", x=[0.1, 0.2], Q2=[100.0, 100.0], y=[0, 0])
    rule = {"dataset": "A_B_C_D", "rule": "w > bound", "local_variables": {"w": "Q2 / x", "bound": 600}}
    assert _kept(data, added=[rule]) == [0]


def test_a_rule_for_variables_that_the_set_lacks_names_them():
    with pytest.raises(DataError, match=r"cut of A_B_C_D: 'pT > 1' needs pT, known are: .*Q2"):
        _kept(_data("DIS_NC", x=[0.1], Q2=[100.0], y=[0]), added=[{"dataset": "A_B_C_D", "rule": "pT > 1"}])


def test_no_default_rule_is_given_twice():
    assert len({repr(rule) for rule in DEFAULT_RULES}) == len(DEFAULT_RULES) == 65
