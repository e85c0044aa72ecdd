"""What a runcard can name: optimizers, initializers, activations, layer types, losses, statistics, penalties.

No jax here: the runcard, the search space and the command line read these names without loading it.
Optimizer defaults are those of Keras 3 as n3fit sets them (clipnorm 1.0 unless the card says otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_DROPOUT",
    "DEFAULT_LAYER_TYPE",
    "DEFAULT_OPTIMIZER",
    "FITBASES",
    "INITIALIZERS",
    "LAYER_TYPES",
    "LOSS_TYPES",
    "MAX_TAU",
    "N3FIT_INITIALIZERS",
    "OPTIMIZERS",
    "PENALTIES",
    "PERTURBATIVE_CHARM",
    "PUSH_EACH",
    "Q2MIN",
    "REGULARIZERS",
    "STATISTICS",
    "SUM_RULES",
    "W2MIN",
]


def _frozen(table: dict[str, dict[str, float | bool]]) -> Mapping[str, Mapping[str, float | bool]]:
    return MappingProxyType({name: MappingProxyType(arguments) for name, arguments in table.items()})


#: optimizer -> the arguments that it accepts in a runcard, with their defaults
OPTIMIZERS = _frozen(
    {
        "RMSprop": {"learning_rate": 0.01, "clipnorm": 1.0},
        "Adam": {"learning_rate": 0.01, "clipnorm": 1.0},
        "Adagrad": {"clipnorm": 1.0},
        "Adadelta": {"learning_rate": 1.0, "clipnorm": 1.0},
        "Adamax": {"clipnorm": 1.0},
        "Nadam": {"learning_rate": 0.001, "clipnorm": 1.0},
        "Amsgrad": {"learning_rate": 0.01, "clipnorm": 1.0},
        "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False, "clipnorm": 1.0},
    }
)

#: what a trial has where its card leaves these out of `parameters`
DEFAULT_OPTIMIZER, DEFAULT_LAYER_TYPE, DEFAULT_DROPOUT = "RMSprop", "dense", 0.0

#: initializer -> its own arguments
INITIALIZERS = _frozen(
    {
        "random_uniform": {"minval": -0.5, "maxval": 0.5},
        "glorot_uniform": {},
        "glorot_normal": {},
        "he_uniform": {},
        "he_normal": {},
        "lecun_uniform": {},
        "lecun_normal": {},
    }
)

#: those that n3fit has, in its order
N3FIT_INITIALIZERS = ("random_uniform", "glorot_uniform", "glorot_normal")

ACTIVATIONS = (
    "tanh", "sigmoid", "linear", "relu", "leaky_relu", "elu", "selu", "softplus", "softsign", "silu", "swish",
    "gelu", "square", "square_singlet", "modified_tanh",
)  # fmt: skip

LAYER_TYPES = ("dense", "dense_per_flavour")

REGULARIZERS = ("l1_l2",)

LOSS_TYPES = ("chi2", "phi2", "logp", "chi2p")

#: over replicas and over folds; average_best is n3fit's older name for average
STATISTICS = ("average", "best_worst", "std", "average_best")

PENALTIES = ("saturation", "patience", "integrability")

_EVOL = ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")
#: fitbasis -> its elements, of which `fitting: basis` lists those that are fitted, in the order of the outputs
FITBASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "EVOL": _EVOL,
        "evolution": _EVOL,
        "NN31IC": ("sng", "g", "v", "v3", "v8", "t3", "t8", "cp"),
        "NN31PC": ("sng", "g", "v", "v3", "v8", "t3", "t8"),
        "CCBAR_ASYMM": (*_EVOL, "v15"),
        "FLAVOUR": ("u", "ubar", "d", "dbar", "s", "sbar", "c", "g"),
        "FLAVOURPC": ("u", "ubar", "d", "dbar", "s", "sbar", "g"),
        "CCBAR_ASYMM_FLAVOUR": ("u", "ubar", "d", "dbar", "s", "sbar", "c", "cbar", "g"),
        "PDF4LHC20": ("sng", "g", "v", "v3", "t3", "t8"),
    }
)
#: those without a charm PDF of their own, for theories with perturbative charm; the others are for fitted charm
PERTURBATIVE_CHARM = ("NN31PC", "FLAVOURPC", "PDF4LHC20")

#: what `sum_rules` can impose; a runcard writes true for All and false for none
SUM_RULES = ("All", "MSR", "VSR", "ALLBUTCSR")

#: NNPDF's cuts: least Q² and least W² of deep-inelastic data in GeV², greatest τ of Drell-Yan data
Q2MIN, W2MIN, MAX_TAU = 3.49, 12.5, 0.080

#: epochs between two pushes of the multipliers of positivity, as in n3fit; a fit keeps its χ² at these epochs
PUSH_EACH = 100
