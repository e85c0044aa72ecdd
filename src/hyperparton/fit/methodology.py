"""The hyperparameters of one fit as a fit needs them: what is compiled into the program and what is data of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hyperparton.nn.optimizers import hyperparameters
from hyperparton.runcard.parameters import LagrangeOptions, Parameters

__all__ = ["Methodology"]


@dataclass(frozen=True)
class Methodology:
    """Hyperparameters of one fit."""

    nodes: tuple[int, ...]
    activations: tuple[str, ...]
    initializer: str
    layer_type: str
    optimizer: str
    optimizer_numbers: Mapping[str, float]
    epochs: int
    patience: int
    """in epochs"""
    delta: float
    dropout: float
    l1: float
    l2: float
    threshold_chi2: float
    positivity: LagrangeOptions
    integrability: LagrangeOptions
    feature_scaling_points: int | None

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Methodology:
        """From the `parameters` of a runcard or a trial."""
        return cls(
            nodes=parameters.nodes_per_layer,
            activations=parameters.activation_per_layer,
            initializer=parameters.initializer,
            layer_type=parameters.layer_type,
            optimizer=parameters.optimizer.optimizer_name,
            optimizer_numbers=hyperparameters(parameters.optimizer),
            epochs=parameters.epochs,
            patience=int(parameters.epochs * parameters.stopping_patience),
            delta=parameters.stopping_delta,
            dropout=parameters.dropout,
            l1=parameters.regularizer_args.l1,
            l2=parameters.regularizer_args.l2,
            threshold_chi2=parameters.threshold_chi2,
            positivity=parameters.positivity,
            integrability=parameters.integrability,
            feature_scaling_points=parameters.feature_scaling_points,
        )
