"""`trial_specs`: fits whose replicas share the methodologies of a scan's best trials, as in NNPDF4.1's cards."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, model_validator

from hyperparton.runcard.field_types import (
    Count,
    FilledList,
    LessThanOne,
    NonNegative,
    Positive,
    Section,
    Seed,
    Share,
    Text,
    WholePositive,
    Width,
    refuse,
)
from hyperparton.runcard.parameters import (
    Activation,
    Initializer,
    LayerType,
    Optimizer,
    OptimizerName,
    OtherParameters,
    TrialParameters,
)

__all__ = ["Override", "SharedParameters", "TrialSpecs"]

#: what a trial brings with it, by the names of `parameters` and of `override`
_FROM_TRIALS = (*TrialParameters.model_fields, "learning_rate", "clipnorm")

Activations = Annotated[tuple[Activation, ...], *FilledList]


def _text_or(text: Any, other: Any) -> BeforeValidator:
    """Text is `text`, anything else is `other`: each is read as that alone, so that errors speak of that alone."""
    as_text, as_other = TypeAdapter(text), TypeAdapter(other)
    return BeforeValidator(lambda value: (as_text if isinstance(value, str) else as_other).validate_python(value))


class Override(Section):
    """`trial_specs: override`, by n3fit's names: what takes the place of the trials' own values."""

    nodes_per_layer: Annotated[tuple[Width, ...], *FilledList] | None = None
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
