"""`parameters`: the hyperparameters of one fit, as n3fit's cards write them.

With `trial_specs`, as in NNPDF4.1's cards, the replicas of a fit share the methodologies of a scan's best trials.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, model_validator

from hyperparton.catalogue import (
    ACTIVATIONS,
    DEFAULT_DROPOUT,
    DEFAULT_LAYER_TYPE,
    DEFAULT_OPTIMIZER,
    INITIALIZERS,
    LAYER_TYPES,
    OPTIMIZERS,
    REGULARIZERS,
)
from hyperparton.errors import TrainingError, nearest
from hyperparton.runcard.faults import validated
from hyperparton.runcard.field_types import (
    Count,
    FilledList,
    Flag,
    Layers,
    LessThanOne,
    ListField,
    NonNegative,
    Positive,
    Section,
    Seed,
    Share,
    Text,
    WholePositive,
    Width,
    conflict,
    one_of,
    refuse,
)
from hyperparton.text import counted

__all__ = [
    "Activation",
    "Initializer",
    "LagrangeOptions",
    "LayerType",
    "Optimizer",
    "OptimizerName",
    "OtherParameters",
    "Override",
    "Parameters",
    "SharedParameters",
    "TrialParameters",
    "TrialSpecs",
    "its_own_arguments",
    "trial_parameters",
]

Activation = Annotated[str, *one_of("activation", ACTIVATIONS)]
Initializer = Annotated[str, *one_of("initializer", INITIALIZERS)]
LayerType = Annotated[str, *one_of("layer type", LAYER_TYPES)]
OptimizerName = Annotated[str, *one_of("optimizer", OPTIMIZERS)]


def its_own_arguments(optimizer: Any) -> None:
    """Refuse an argument that the optimizer of this name does not have."""
    name, known = optimizer.optimizer_name, OPTIMIZERS[optimizer.optimizer_name]
    for key in type(optimizer).model_fields:
        if key != "optimizer_name" and key not in known and getattr(optimizer, key) is not None:
            accepted = f"{', '.join(known)} (or another optimizer)"
            raise conflict(
                f"optimizer {name} has no {key!r}{nearest(key, known)}", accepted, f"{key}: {getattr(optimizer, key)!r}"
            )


class Optimizer(Section):
    """`parameters: optimizer`."""

    optimizer_name: OptimizerName = DEFAULT_OPTIMIZER
    """Its name."""
    learning_rate: Positive | None = None
    """Learning rate; the default is the optimizer's own."""
    clipnorm: NonNegative | None = None
    """Norm to which gradients are cut; 0 for none."""
    momentum: Share | None = None
    """Momentum of SGD."""
    nesterov: Flag | None = None
    """Whether SGD's momentum is Nesterov's."""

    @model_validator(mode="after")
    def _its_own_arguments(self) -> Optimizer:
        its_own_arguments(self)
        return self


class LagrangeOptions(Section):
    """`parameters: positivity` and `integrability`: first value and growth of the multipliers."""

    multiplier: Positive | None = None
    """Growth of the multiplier every 100 epochs; without it, that which leads to maxlambda."""
    initial: Positive | None = None
    """First value of the multiplier."""
    threshold: Positive = 1e-6
    """Value of the observables' loss below which positivity counts as satisfied."""


class RegularizerArguments(Section):
    """`parameters: regularizer_args`."""

    l1: NonNegative = 0.0
    """Factor of the sum of absolute weights."""
    l2: NonNegative = 0.0
    """Factor of the sum of squared weights."""


class TrialParameters(Section):
    """The part of `parameters` that a scan's trial brings to a fit with `trial_specs`."""

    nodes_per_layer: Annotated[tuple[Width, ...], *Layers]
    """Widths of the layers; the last is the number of elements of the fitting basis."""
    activation_per_layer: Annotated[tuple[Activation, ...], ListField]
    """Activation of each layer."""
    initializer: Initializer
    """How the weights are drawn at first."""
    optimizer: Optimizer
    """Optimizer and its arguments."""
    epochs: WholePositive
    """Greatest number of epochs."""
    stopping_patience: Share
    """Share of the epochs for which a fit goes on without a better validation χ²."""
    layer_type: LayerType = DEFAULT_LAYER_TYPE
    """One network for all flavours (dense), or one for each (dense_per_flavour)."""
    dropout: LessThanOne = DEFAULT_DROPOUT
    """Share of the nodes left out at random, after the last but one of the hidden layers."""


class OtherParameters(Section):
    """The part of `parameters` that the card itself says in every fit."""

    stopping_delta: NonNegative = 0.0
    """By how much the validation χ² must become better to count."""
    positivity: LagrangeOptions = LagrangeOptions()
    """Multiplier of the positivity observables."""
    integrability: LagrangeOptions = LagrangeOptions()
    """Multiplier of the integrability observables."""
    regularizer: Annotated[str, *one_of("regularizer", REGULARIZERS)] | None = None
    """Regularizer of the weights."""
    regularizer_args: RegularizerArguments = RegularizerArguments()
    """Its arguments."""
    threshold_chi2: Positive = 10.0
    """Validation χ² per point that the first epoch to count must be below."""
    feature_scaling_points: WholePositive | None = None
    """Number of points of the interpolation that scales x; without it x and log x go in."""

    @model_validator(mode="after")
    def _regularizer_is_named(self) -> OtherParameters:
        if self.regularizer is None and "regularizer_args" in self.model_fields_set:
            raise conflict(
                "regularizer_args are given, but no regularizer",
                f"regularizer: {', '.join(REGULARIZERS)}",
                "regularizer_args alone",
            )
        return self


class Parameters(OtherParameters, TrialParameters):
    """`parameters`. What a scan samples must be declared here too, as n3fit asks for it."""

    @model_validator(mode="after")
    def _layers_agree(self) -> Parameters:
        nodes, activations = self.nodes_per_layer, self.activation_per_layer
        if len(nodes) != len(activations):
            raise conflict(
                "nodes_per_layer and activation_per_layer must have the same length",
                given=f"{len(nodes)} and {counted(len(activations), 'layer')}",
            )
        return self


#: what a trial brings with it, by the names of `parameters` and of `override`
_FROM_TRIALS = (*TrialParameters.model_fields, "learning_rate", "clipnorm")

Activations = Annotated[tuple[Activation, ...], *FilledList]


def _text_or(text: Any, other: Any) -> BeforeValidator:
    """Text is `text`, anything else is `other`: each is read as that alone, so that errors speak of that alone."""
    as_text, as_other = TypeAdapter(text), TypeAdapter(other)
    return BeforeValidator(lambda value: (as_text if isinstance(value, str) else as_other).validate_python(value))


class Override(Section):
    """`trial_specs: override`, by n3fit's names: what takes the place of the trials' own values."""

    nodes_per_layer: Annotated[tuple[Width, ...], *Layers] | None = None
    """Widths of the layers."""
    activation_per_layer: Annotated[Activation | Activations, _text_or(Activation, Activations)] | None = None
    """Activation of all layers but the last, or of each."""
    initializer: Initializer | None = None
    """How the weights are drawn at first."""
    optimizer: Annotated[OptimizerName | Optimizer, _text_or(OptimizerName, Optimizer)] | None = None
    """Name of the optimizer, which keeps the trial's arguments, or the optimizer with its arguments."""
    learning_rate: Positive | None = None
    """Its learning rate."""
    clipnorm: NonNegative | None = None
    """Norm to which its gradients are cut; 0 for none."""
    epochs: WholePositive | None = None
    """Greatest number of epochs."""
    stopping_patience: Share | None = None
    """Share of the epochs for which a fit goes on without a better validation χ²."""
    initial: Positive | None = None
    """First value of the positivity multiplier."""
    layer_type: LayerType | None = None
    """One network for all flavours (dense), or one for each (dense_per_flavour)."""
    dropout: LessThanOne | None = None
    """Share of the nodes left out at random."""


class TrialSpecs(Section):
    """`trial_specs`."""

    hyperscan: Text
    """The scan: its folder, or its name among n3fit's results."""
    thermalization: Count = 0
    """So many of the first trials are left out."""
    number_of_trials: WholePositive
    """The best so many of the others are shared among the replicas."""
    override: Override = Override()
    """Values that take the place of the trials' own."""
    seed: Seed | None = None
    """Draws the trial of each replica; without it replica r has the one in place r modulo number_of_trials."""


class SharedParameters(OtherParameters):
    """`parameters` beside `trial_specs`: what the trials do not bring."""

    @model_validator(mode="before")
    @classmethod
    def _not_the_trials(cls, given: Any) -> Any:
        twice = [key for key in _FROM_TRIALS if isinstance(given, dict) and key in given]
        if twice:
            raise refuse(
                "what comes from the trials of trial_specs cannot be given here too",
                "leave it out, or give it as trial_specs: override",
                ", ".join(twice),
            )
        return given


def trial_parameters(values: Mapping[str, Any], scanned: Collection[str] = ()) -> Parameters:
    """The parameters of a trial, from the values that a scan hands to a trainer or that its `tries.json` holds.

    As in n3fit, a whole set under `parameters` replaces everything, and a scanned value that is a dictionary of
    several parameters is spread out (`scanned` names the scanned ones). One activation stands for all layers but the
    last, which is linear; fractions of epochs and nodes, from a range without `make_int`, are cut off; keys that fits
    do not know are passed over. Raises TrainingError with everything that is wrong.
    """
    plain = dict(values)
    if plain.get("parameters") is not None:
        plain = dict(plain["parameters"])
    else:
        for key in scanned:
            if isinstance(values.get(key), Mapping):
                plain.update(values[key])
    known = {key: value for key, value in plain.items() if key in Parameters.model_fields}
    nodes, activation = known.get("nodes_per_layer"), known.get("activation_per_layer")
    if isinstance(nodes, list | tuple):
        known["nodes_per_layer"] = [_cut(width) for width in nodes]
        if isinstance(activation, str):
            known["activation_per_layer"] = [activation] * (len(nodes) - 1) + ["linear"]
        elif callable(activation):
            known["activation_per_layer"] = activation(len(nodes))
    if "epochs" in known:
        known["epochs"] = _cut(known["epochs"])
    return validated(Parameters, known, TrainingError, "the parameters of a fit")


def _cut(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value
