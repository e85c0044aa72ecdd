"""`trial_specs`: fits whose replicas share the methodologies of a scan's best trials, as in NNPDF4.1's cards."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from hyperparton.catalogue import REGULARIZERS
from hyperparton.runcard.field_types import (
    Count,
    LessThanOne,
    ListField,
    NonNegative,
    Positive,
    Section,
    Seed,
    Share,
    Text,
    WholePositive,
    as_list,
    none_as,
    one_of,
    refuse,
)
from hyperparton.runcard.parameters import (
    Activation,
    Initializer,
    LagrangeOptions,
    LayerType,
    Optimizer,
    RegularizerArguments,
    Width,
)

__all__ = ["FROM_TRIALS", "Override", "SharedParameters", "TrialSpecs"]

#: the parameters that a trial brings with it
FROM_TRIALS = (
    "nodes_per_layer",
    "activation_per_layer",
    "initializer",
    "optimizer",
    "learning_rate",
    "clipnorm",
    "epochs",
    "stopping_patience",
    "layer_type",
    "dropout",
)


def _optimizer(value: Any) -> Any:
    return {"optimizer_name": value} if isinstance(value, str) else value


class Override(Section):
    """`trial_specs: override`, by n3fit's names: what takes the place of the trials' own values."""

    nodes_per_layer: Annotated[tuple[Width, ...], ListField] | None = None
    activation_per_layer: Annotated[tuple[Activation, ...], BeforeValidator(as_list)] | None = None
    initializer: Initializer | None = None
    optimizer: Annotated[Optimizer, BeforeValidator(_optimizer)] | None = None
    learning_rate: Positive | None = None
    clipnorm: Positive | None = None
    epochs: WholePositive | None = None
    stopping_patience: Share | None = None
    initial: Positive | None = None
    layer_type: LayerType | None = None
    dropout: LessThanOne | None = None


class TrialSpecs(Section):
    """`trial_specs`."""

    hyperscan: Text
    thermalization: Annotated[Count, none_as(int)] = 0
    number_of_trials: WholePositive
    override: Annotated[Override, none_as(dict)] = Override()
    seed: Seed | None = None


class SharedParameters(Section):
    """`parameters` beside `trial_specs`: what the trials do not bring."""

    stopping_delta: Annotated[NonNegative, none_as(float)] = 0.0
    positivity: Annotated[LagrangeOptions, none_as(dict)] = LagrangeOptions()
    integrability: Annotated[LagrangeOptions, none_as(dict)] = LagrangeOptions()
    regularizer: Annotated[str, one_of("regularizer", REGULARIZERS)] | None = None
    regularizer_args: Annotated[RegularizerArguments, none_as(dict)] = RegularizerArguments()
    threshold_chi2: Positive | None = None
    feature_scaling_points: WholePositive | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_the_trials(cls, given: Any) -> Any:
        twice = [key for key in FROM_TRIALS if isinstance(given, dict) and key in given]
        if twice:
            raise refuse(
                "what comes from the trials of trial_specs cannot be given here too",
                "leave it out, or give it as trial_specs: override",
                ", ".join(twice),
            )
        return given
