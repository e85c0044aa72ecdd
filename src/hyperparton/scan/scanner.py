"""`HyperScanner`: the runcard's `parameters` with samplers in the place of what `hyperscan_config` scans."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyperparton.errors import SpaceError, nearest
from hyperparton.runcard.faults import Model, validated
from hyperparton.runcard.hyperscan_config import Architecture, HyperscanConfig, ScannedLagrange, Stopping
from hyperparton.scan.sections import (
    ActivationStr,
    architecture_samplers,
    lagrange_samplers,
    optimizer_sampler,
    space_samplers,
    stopping_samplers,
)
from hyperparton.scan.warm_start import parameter_sets
from hyperparton.space import evaluate, hp_choice, readable, samplers_by_label
from hyperparton.trials import Trial

__all__ = ["ActivationStr", "HyperScanner"]

#: the key and label of a choice among whole parameter sets
_SETS = "parameters"


def _config(given: Mapping[str, Any]) -> HyperscanConfig:
    return validated(HyperscanConfig, given, SpaceError, "hyperscan_config")


def _section(model: type[Model], name: str, values: Sequence[Any]) -> Model:
    """A section of `hyperscan_config`; `values` are those of its keys, in order."""
    return validated(model, dict(zip(model.model_fields, values, strict=True)), SpaceError, name)


class HyperScanner:
    """The search space of a scan.

    `parameters` and `sampling_dict` are the runcard's `parameters` and `hyperscan_config`; `steps` is into how many
    steps discrete ranges are divided. `hyper_keys` holds the keys of `parameters` that are scanned. Raises SpaceError
    for everything that is wrong with `sampling_dict` at once, and for a key that `parameters` does not declare.

    `use_tries_from` names earlier scans. Beside ranges their trials are what a scan's engine knows before it begins;
    alone, as in n3fit, the space is a choice among the parameters of those that succeeded.
    """

    def __init__(self, parameters: Mapping[str, Any], sampling_dict: Mapping[str, Any], steps: int = 5) -> None:
        _require_mapping("parameters", parameters)
        _require_mapping("hyperscan_config", sampling_dict)
        config = _config(sampling_dict)
        self._original = copy.deepcopy(dict(parameters))
        self.parameters: dict[str, Any] = copy.deepcopy(self._original)
        self.steps = steps
        self.hyper_keys: set[str] = set()
        self.restart_hyperopt, self.parallel_hyperopt = config.restart, config.parallel
        self.db_host, self.db_port, self.db_name = config.db_host, config.db_port, config.db_name
        self.num_mongo_workers, self.prune = config.num_mongo_workers, config.prune
        self.use_tries_from = config.use_tries_from
        if not config.scanned and config.use_tries_from:
            self._choose_among(parameter_sets(config.use_tries_from))
            self.use_tries_from = ()
        elif config.parameters is not None:
            self._choose_among(config.parameters)
        else:
            self._read(config, sampling_dict)
        samplers_by_label(self.parameters)

    @classmethod
    def of_space(cls, space: Mapping[str, Any], keys: Iterable[str]) -> HyperScanner:
        """The scanner of a space that is there already: samplers in a dictionary, `keys` those of the scanned ones."""
        made = cls({}, {})
        made.parameters = dict(space)
        made.hyper_keys = set(keys)
        samplers_by_label(made.parameters)
        return made

    def _choose_among(self, sets: Iterable[Mapping[str, Any]]) -> None:
        self.parameters = {_SETS: hp_choice(_SETS, list(sets))}
        self.hyper_keys.add(_SETS)

    def _read(self, config: HyperscanConfig, given: Mapping[str, Any]) -> None:
        if config.stopping is not None:
            self.stopping(**given["stopping"])
        if config.optimizer is not None:
            # as it is given: draws follow the order of the arguments, and fixed ones stand in the space as written
            self.optimizer(given["optimizer"])
        if config.positivity is not None:
            self.positivity(**given["positivity"])
        if config.integrability is not None:
            self.integrability(**given["integrability"])
        if config.architecture is not None:
            nodes = self._original.get("nodes_per_layer")
            self.architecture(**given["architecture"], output_size=nodes[-1] if nodes else None)
        self._update(space_samplers(self.steps, config.space or {}))

    def _update(self, found: Mapping[str, Any]) -> None:
        for key, sampler in found.items():
            self._update_param(key, sampler)

    def _update_param(self, key: str, sampler: Any) -> None:
        """Put a sampler in the place of a declared parameter; nothing happens where there is no sampler."""
        if sampler is None:
            return
        if key not in self._original:
            raise SpaceError(
                f"hyperscan_config scans {key!r}, which `parameters` does not declare{nearest(key, self._original)}, "
                f"declared: {', '.join(self._original)}"
            )
        self.hyper_keys.add(key)
        self.parameters[key] = sampler

    def as_dict(self) -> dict[str, Any]:
        """`parameters` with samplers in place of scanned values: the space of the scan."""
        return self.parameters

    def stopping(
        self,
        min_epochs: float | None = None,
        max_epochs: float | None = None,
        min_patience: float | None = None,
        max_patience: float | None = None,
    ) -> None:
        """Scan `epochs` and `stopping_patience`."""
        values = (min_epochs, max_epochs, min_patience, max_patience)
        self._update(stopping_samplers(self.steps, _section(Stopping, "stopping", values)))

    def optimizer(self, optimizers: list[Mapping[str, Any]]) -> None:
        """Scan `optimizer`: a list of {optimizer_name, learning_rate, clipnorm}, the latter fixed or sampled."""
        _config({"optimizer": optimizers})
        self._update_param("optimizer", optimizer_sampler(optimizers))

    def positivity(
        self,
        min_multiplier: float | None = None,
        max_multiplier: float | None = None,
        min_initial: float | None = None,
        max_initial: float | None = None,
    ) -> None:
        """Scan `multiplier` and `initial` of `positivity`; its other entries keep the runcard's values."""
        self._lagrange("positivity", "", min_multiplier, max_multiplier, min_initial, max_initial)

    def integrability(
        self,
        min_multiplier: float | None = None,
        max_multiplier: float | None = None,
        min_initial: float | None = None,
        max_initial: float | None = None,
    ) -> None:
        """As `positivity`, for `integrability`; labels `integrability_multiplier` and `integrability_initial`."""
        self._lagrange("integrability", "integrability_", min_multiplier, max_multiplier, min_initial, max_initial)

    def _lagrange(self, key: str, prefix: str, *values: float | None) -> None:
        found = lagrange_samplers(prefix, _section(ScannedLagrange, key, values))
        if found:
            self._update_param(key, {**(self._original.get(key) or {}), **found})

    def architecture(
        self,
        initializers: list[str] | str | None = None,
        activations: list[str] | None = None,
        max_drop: float | None = None,
        n_layers: list[int] | None = None,
        min_units: float | None = None,
        max_units: float | None = None,
        layer_types: list[str] | None = None,
        output_size: int | None = None,
    ) -> None:
        """Scan the network: `layer_type`, `activation_per_layer`, `nodes_per_layer`, `initializer` and `dropout`."""
        values = (initializers, activations, max_drop, n_layers, min_units, max_units, layer_types)
        architecture = _section(Architecture, "architecture", values)
        self._update(architecture_samplers(self.steps, architecture, output_size))

    def space_eval(self, trial: Trial | Mapping[str, Any]) -> dict[str, Any]:
        """The full parameters of a trial, its values over the original ones, as a runcard's `parameters` has them.

        `trial` is a Trial, an entry of `tries.json`, or values by label. Activations are listed per layer. Raises
        SpaceError for a label without a value.
        """
        chosen = self._flat(evaluate(self.parameters, _vals(trial)))
        activation = chosen.get("activation_per_layer")
        if isinstance(activation, ActivationStr):
            nodes = chosen.get("nodes_per_layer")
            chosen["activation_per_layer"] = activation(len(nodes)) if nodes else str(activation)
        return chosen

    def space_vals(self, trial: Trial | Mapping[str, Any]) -> dict[str, Any]:
        """The readable parameters of a trial as `tries.json` has them: activations by name, strict JSON."""
        return readable(self._flat(evaluate(self.parameters, _vals(trial))))

    def _flat(self, chosen: dict[str, Any]) -> dict[str, Any]:
        return chosen[_SETS] if _SETS in self.hyper_keys else chosen


def _require_mapping(name: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise SpaceError(f"{name}: accepted is a dictionary, given {given!r}")


def _vals(trial: Trial | Mapping[str, Any]) -> dict[str, list[Any]]:
    if isinstance(trial, Trial):
        held: Mapping[str, Any] = trial.vals
    else:
        held = trial["misc"]["vals"] if isinstance(trial.get("misc"), Mapping) else trial
    return {label: list(value) if isinstance(value, list | tuple) else [value] for label, value in held.items()}
