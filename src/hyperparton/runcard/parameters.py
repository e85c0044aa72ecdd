"""`parameters`: the hyperparameters of one fit, as n3fit's cards write them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from hyperparton.catalogue import ACTIVATIONS, INITIALIZERS, LAYER_TYPES, OPTIMIZERS, REGULARIZERS
from hyperparton.errors import nearest
from hyperparton.runcard.field_types import (
    Flag,
    LessThanOne,
    ListField,
    NonNegative,
    Number,
    Positive,
    Section,
    Share,
    WholePositive,
    none_as,
    one_of,
    refuse,
)

__all__ = ["Activation", "Initializer", "LagrangeOptions", "LayerType", "OptimizerName", "Parameters", "Width"]

Activation = Annotated[str, one_of("activation", ACTIVATIONS)]
Initializer = Annotated[str, one_of("initializer", INITIALIZERS)]
LayerType = Annotated[str, one_of("layer type", LAYER_TYPES)]
OptimizerName = Annotated[str, one_of("optimizer", OPTIMIZERS)]

#: widths beyond this are a slip of the pen: NNPDF's networks have 10 to 100 nodes a layer
_WIDEST = 4096


def _width(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > _WIDEST:
        raise refuse("a layer is too wide", f"at most {_WIDEST} nodes")
    return value


Width = Annotated[WholePositive, BeforeValidator(_width)]


class Optimizer(Section):
    """`parameters: optimizer`."""

    optimizer_name: OptimizerName = "RMSprop"
    learning_rate: Positive | None = None
    clipnorm: Positive | None = None
    momentum: Share | None = None
    nesterov: Flag | None = None

    @model_validator(mode="before")
    @classmethod
    def _its_own_arguments(cls, given: Any) -> Any:
        name = given.get("optimizer_name", "RMSprop") if isinstance(given, dict) else None
        known = OPTIMIZERS.get(name, {}) if isinstance(name, str) else {}
        for key, value in given.items() if known else ():
            if key in cls.model_fields and key != "optimizer_name" and key not in known and value is not None:
                accepted = f"{', '.join(known)} (or another optimizer)"
                raise refuse(f"optimizer {name} has no {key!r}{nearest(key, known)}", accepted, f"{key}: {value!r}")
        return given


class LagrangeOptions(Section):
    """`parameters: positivity` and `integrability`: first value and growth of the multipliers."""

    multiplier: Number | None = None
    initial: Positive | None = None
    threshold: Positive | None = None


class RegularizerArguments(Section):
    """`parameters: regularizer_args`."""

    l1: NonNegative = 0.0
    l2: NonNegative = 0.0


class Parameters(Section):
    """`parameters`. What a scan samples must be declared here too, as n3fit asks for it."""

    nodes_per_layer: Annotated[tuple[Width, ...], ListField]
    activation_per_layer: Annotated[tuple[Activation, ...], ListField]
    initializer: Initializer
    optimizer: Optimizer
    epochs: WholePositive
    stopping_patience: Share
    stopping_delta: Annotated[NonNegative, none_as(float)] = 0.0
    positivity: Annotated[LagrangeOptions, none_as(dict)] = LagrangeOptions()
    integrability: Annotated[LagrangeOptions, none_as(dict)] = LagrangeOptions()
    layer_type: Annotated[LayerType, none_as(lambda: "dense")] = "dense"
    dropout: Annotated[LessThanOne, none_as(float)] = 0.0
    regularizer: Annotated[str, one_of("regularizer", REGULARIZERS)] | None = None
    regularizer_args: Annotated[RegularizerArguments, none_as(dict)] = RegularizerArguments()
    threshold_chi2: Positive | None = None
    feature_scaling_points: WholePositive | None = None

    @model_validator(mode="after")
    def _layers_agree(self) -> Parameters:
        nodes, activations = self.nodes_per_layer, self.activation_per_layer
        if not nodes:
            raise refuse("nodes_per_layer needs at least one layer", given="[]")
        if len(nodes) != len(activations):
            raise refuse(
                "nodes_per_layer and activation_per_layer must have the same length",
                given=f"{len(nodes)} and {len(activations)} layers",
            )
        if "square_singlet" in activations[:-1]:
            raise refuse("square_singlet can be the activation of the last layer only", given=str(list(activations)))
        if self.dropout > 0 and self.layer_type == "dense_per_flavour":
            raise refuse("dropout does not go with dense_per_flavour", "layer_type: dense, or dropout: 0.0")
        if self.regularizer is None and "regularizer_args" in self.model_fields_set:
            raise refuse("regularizer_args are given, but no regularizer", f"regularizer: {', '.join(REGULARIZERS)}")
        return self
