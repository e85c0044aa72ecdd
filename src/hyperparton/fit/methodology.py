"""A trial's parameters as a fit needs them: what is compiled into the program and what is data of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hyperparton.catalogue import REGULARIZERS
from hyperparton.errors import TrainingError, nearest
from hyperparton.nn.optimizers import hyperparameters

__all__ = ["Methodology", "unroll"]

_REQUIRED = ("nodes_per_layer", "activation_per_layer", "initializer", "optimizer", "epochs", "stopping_patience")


def unroll(params: Mapping[str, Any], keys: Any = ()) -> dict[str, Any]:
    """The plain parameters behind what a scan hands over.

    A whole set under `parameters` replaces everything; a scanned value that is a dictionary of several parameters
    (`keys` names the scanned ones) is spread out, as n3fit does it.
    """
    if params.get("parameters") is not None:
        return dict(params["parameters"])
    plain = dict(params)
    for key in keys:
        if isinstance(params.get(key), Mapping):
            plain.update(params[key])
    return plain


def _activations(value: Any, depth: int) -> tuple[str, ...]:
    """A list as it is; a name or a callable (`ActivationStr`) for all layers but the last, which is linear."""
    if isinstance(value, str):
        return (*[value] * (depth - 1), "linear")
    listed: Any = value(depth) if callable(value) else value
    return tuple(listed)


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
    delta: float = 0.0
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    threshold_chi2: float = 10.0
    threshold_positivity: float = 1e-6
    positivity: Mapping[str, Any] = field(default_factory=dict)
    integrability: Mapping[str, Any] = field(default_factory=dict)
    feature_scaling_points: int | None = None

    @classmethod
    def from_parameters(cls, params: Mapping[str, Any]) -> Methodology:
        """From the `parameters` of a runcard or a trial.

        Raises TrainingError for missing or unusable values.
        """
        missing = [key for key in _REQUIRED if params.get(key) is None]
        if missing:
            raise TrainingError(f"the parameters of a fit lack: {', '.join(missing)}")
        epochs = int(params["epochs"])
        if epochs < 1:
            raise TrainingError(f"epochs must be at least 1, given: {params['epochs']}")
        dropout = float(params.get("dropout") or 0.0)
        if not 0.0 <= dropout < 1.0:
            raise TrainingError(f"dropout must lie in [0, 1), given: {dropout}")
        nodes = tuple(int(n) for n in params["nodes_per_layer"])
        positivity = dict(params.get("positivity") or {})
        threshold = params.get("threshold_chi2")
        return cls(
            nodes=nodes,
            activations=_activations(params["activation_per_layer"], len(nodes)),
            initializer=params["initializer"],
            layer_type=params.get("layer_type") or "dense",
            optimizer=str(params["optimizer"].get("optimizer_name", "RMSprop")),
            optimizer_numbers=hyperparameters(params["optimizer"]),
            epochs=epochs,
            patience=int(epochs * params["stopping_patience"]),
            delta=float(params.get("stopping_delta") or 0.0),
            dropout=dropout,
            threshold_chi2=10.0 if threshold is None else float(threshold),
            threshold_positivity=float(positivity.get("threshold") or 1e-6),
            positivity=positivity,
            integrability=dict(params.get("integrability") or {}),
            feature_scaling_points=params.get("feature_scaling_points"),
            **_regularizer(params),
        )


def _regularizer(params: Mapping[str, Any]) -> dict[str, float]:
    name, given = params.get("regularizer"), dict(params.get("regularizer_args") or {})
    if name is None:
        if given:
            raise TrainingError("regularizer_args are given, but no regularizer")
        return {}
    if name not in REGULARIZERS:
        raise TrainingError(
            f"unknown regularizer {name!r}{nearest(name, REGULARIZERS)}, accepted: {', '.join(REGULARIZERS)}"
        )
    return {key: float(value) for key, value in {**REGULARIZERS[name], **given}.items()}
