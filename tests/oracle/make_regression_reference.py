"""Makes ``data/regression_reference.npz``: fits with the settings of NNPDF's regression cards, by n3fit.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_regression_reference.py [FILE [CASE ...]]

With cases, those of FILE are replaced, and the others stay.

The names of the cases are those of NNPDF's cards (extra_tests/regression_fits; `quickcard` is of n3fit's own tests).
Their data sets are those whose tables ship, and so are t0 set and `t0theoryid`.  They run for 100 epochs with steps
that change something in these, and the chi2 of their start is no obstacle.  Dropout, whose draws are n3fit's own, is
left out.  Cards that differ in nothing else are one case: `no_t0_sampling` is `central`, for both fit the measured
data, and `no_csr` is `but_charm` of ``make_whole_fits_reference.py``.

`treated` is one more: `threshold`, `norm_threshold` and weights of data sets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_whole_fits_reference import ROOT, Cases, elements_of, main

_NMC = {"dataset": "NMC_NC_NOTFIXED_P_EM-SIGMARED", "frac": 0.5, "variant": "legacy"}
_SLAC = {"dataset": "SLAC_NC_NOTFIXED_P_EM-F2", "frac": 0.5, "variant": "legacy"}
_POSITIVITY = [
    {"dataset": "NNPDF_POS_2P24GEV_F2U", "maxlambda": 1e6},
    {"dataset": "NNPDF_POS_2P24GEV_DYS", "maxlambda": 1e5},
]
_INTEGRABILITY = [{"dataset": "NNPDF_INTEG_3GEV_XT8", "maxlambda": 1e2}]
_RMSPROP = {"optimizer_name": "RMSprop", "learning_rate": 1e-4, "clipnorm": 1.0}
_FASTER = {**_RMSPROP, "learning_rate": 1e-3}
_ADADELTA = {"optimizer_name": "Adadelta", "learning_rate": 1.0, "clipnorm": 1e-4}
_NO_LAGRANGE = {"positivity": {"posdatasets": []}, "integrability": {"integdatasets": []}}

#: case -> its basis and optimizer, the elements whose exponents are trained, and what its card and its parameters have
#: instead of what `central` has.  The `spread` of the start weights is larger with scaled inputs: with small weights a
#: network is nearly constant, and little of it is left in single precision when its value at x = 1 is subtracted
_SETTINGS: dict[str, dict[str, Any]] = {
    "central": {},
    "t0theoryid": {"card": {"theory": {"theoryid": 40_000_000, "t0theoryid": 208}}},
    "quickcard": {"card": {"genrep": True}, "trainable": ("v3",), "optimizer": {**_RMSPROP, "clipnorm": 1e-4}},
    "trainable_prepro": {"card": {"genrep": True}, "trainable": ("g", "v3", "v8", "t3", "t8")},
    "no_msr": {"card": {"genrep": True, "sum_rules": "VSR"}},
    "no_vsr": {"card": {"genrep": True, "sum_rules": "MSR"}},
    "no_sumrules": {"card": {"genrep": True, "sum_rules": False}},
    "no_diagonal": {"card": {"genrep": True, "diagonal_basis": False}},
    "no_lagrange": {"card": _NO_LAGRANGE},
    "no_positivity": {
        "card": {**_NO_LAGRANGE, "genrep": True},
        "optimizer": _ADADELTA,
        "parameters": {"feature_scaling_points": 15},
        "spread": 1.5,
    },
    "feature_scaling": {
        "card": {"genrep": True},
        "optimizer": _ADADELTA,
        "parameters": {"feature_scaling_points": 15},
        "spread": 1.5,
    },
    "flavour": {
        "card": {"genrep": True},
        "fitbasis": "FLAVOUR",
        "optimizer": {**_ADADELTA, "clipnorm": 1e-2},
    },
    "hyperopt_sampling": {
        "card": {"double_precision": True, "dataset_inputs": [{**_NMC, "frac": 1.0}, {**_SLAC, "frac": 1.0}]},
        "fitbasis": "CCBAR_ASYMM",
        "optimizer": _FASTER,
        "parameters": {"feature_scaling_points": 5, "stopping_patience": 0.1},  # it stops early
        "spread": 1.5,
    },
    "normal_fit": {
        "card": {"genrep": True, "dataset_inputs": [_NMC]},
        "optimizer": {"optimizer_name": "Nadam", "learning_rate": 5e-3, "clipnorm": 1e-5},
    },
    "treated": {
        "card": {
            "genrep": True,
            "threshold": 0.5,
            "norm_threshold": 2.5,
            "dataset_inputs": [{**_NMC, "weight": 3.0}, {**_SLAC, "weight": 0.5}],
        },
        "optimizer": _FASTER,
    },
}
_CENTRAL = {"fitbasis": "EVOL", "trainable": (), "optimizer": _RMSPROP, "card": {}, "parameters": {}}
CASES = {
    name: {**_CENTRAL, **settings, "replicas": 1, "folds": None, "epochs": 100} for name, settings in _SETTINGS.items()
}


def parameters(case: str) -> dict:
    """The runcard's parameters."""
    wanted = CASES[case]
    return {
        "nodes_per_layer": [15, 10, 9 if wanted["fitbasis"] == "CCBAR_ASYMM" else 8],
        "activation_per_layer": ["sigmoid", "tanh", "linear"],
        "initializer": "glorot_normal",
        "optimizer": wanted["optimizer"],
        "epochs": wanted["epochs"],
        "positivity": {"multiplier": 1.05, "initial": 1.5, "threshold": 1e3},
        "stopping_patience": 0.9,
        "layer_type": "dense",
        "dropout": 0.0,
        "threshold_chi2": 1e4,
        **wanted["parameters"],
    }


def card(case: str) -> dict:
    """A runcard for n3fit."""
    from ruamel.yaml import YAML

    wanted, known = CASES[case], YAML(typ="safe").load(ROOT / "tests/data/dis_fit.yml")["fitting"]["basis"]
    elements = elements_of(wanted["fitbasis"], known, "feature_scaling_points" in wanted["parameters"])
    for element in elements:
        element["trainable"] = element["fl"] in wanted["trainable"]
    return {
        "description": f"as NNPDF's regression card {case}",
        "dataset_inputs": [_NMC, _SLAC],
        "datacuts": {"t0pdfset": "HYPERPARTON_dis_t0", "q2min": 3.49, "w2min": 12.5},
        "theory": {"theoryid": 40_000_000},
        "genrep": False,
        "trvlseed": 3,
        "nnseed": 2,
        "mcseed": 1,
        "parameters": parameters(case),
        "fitting": {"savepseudodata": False, "fitbasis": wanted["fitbasis"], "basis": elements},
        "positivity": {"posdatasets": _POSITIVITY},
        "integrability": {"integdatasets": _INTEGRABILITY},
        "debug": False,
        "double_precision": False,
        **wanted["card"],
    }


if __name__ == "__main__":
    main(Cases(Path(__file__).resolve().parent / "data" / "regression_reference.npz", CASES, card, parameters))
