"""`HyperScanner`: the runcard's `parameters` with samplers in the place of what `hyperscan_config` scans."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from hyperparton.errors import SpaceError, nearest
from hyperparton.scan.sections import (
    SECTION_KEYS,
    ActivationStr,
    architecture_samplers,
    known_only,
    lagrange_samplers,
    optimizer_sampler,
    space_samplers,
    stopping_samplers,
)
from hyperparton.scan.warm_start import parameter_sets
from hyperparton.space import evaluate, hp_choice, readable, samplers_by_label
from hyperparton.trials import Trial

__all__ = ["ActivationStr", "HyperScanner"]

#: keys of hyperscan_config that say how a scan runs, with their defaults
_EXECUTION: Mapping[str, Any] = {
    "restart": False,
    "parallel": False,
    "db_host": "localhost",
    "db_port": 27017,
    "db_name": "hyperopt-db",
    "num_mongo_workers": 1,
    "prune": False,
    "use_tries_from": None,
}

#: the key and label of a choice among whole parameter sets
_SETS = "parameters"


class HyperScanner:
    """The search space of a scan.

    `parameters` and `sampling_dict` are the runcard's `parameters` and `hyperscan_config`; `steps` is into how many
    steps discrete ranges are divided. `hyper_keys` holds the keys of `parameters` that are scanned. Raises SpaceError
    for a key that `parameters` does not declare, a name that the catalogue does not know, and keys of `sampling_dict`
    that nothing reads.

    `use_tries_from` names earlier scans. Beside ranges their trials are what a scan's engine knows before it begins;
    alone, as in n3fit, the space is a choice among the parameters of those that succeeded.
    """

    def __init__(self, parameters: Mapping[str, Any], sampling_dict: Mapping[str, Any], steps: int = 5) -> None:
        _require_mapping("parameters", parameters)
        _require_mapping("hyperscan_config", sampling_dict)
        known_only("key of hyperscan_config", sampling_dict, (*SECTION_KEYS, "optimizer", "space", _SETS, *_EXECUTION))
        self._original = copy.deepcopy(dict(parameters))
        self.parameters: dict[str, Any] = copy.deepcopy(self._original)
        self.steps = steps
        self.hyper_keys: set[str] = set()
        self._set_execution(sampling_dict)
        sections = {key: entry for key, entry in sampling_dict.items() if entry and key not in _EXECUTION}
        if not sections and self.use_tries_from:
            self._choose_among_sets({_SETS: parameter_sets(self.use_tries_from)})
            self.use_tries_from = ()
        elif _SETS in sections:
            self._choose_among_sets(sections)
        else:
            self._read(sections)
        samplers_by_label(self.parameters)

    @classmethod
    def of_space(cls, space: Mapping[str, Any], keys: Iterable[str]) -> HyperScanner:
        """The scanner of a space that is there already: samplers in a dictionary, `keys` those of the scanned ones."""
        made = cls({}, {})
        made.parameters = dict(space)
        made.hyper_keys = set(keys)
        samplers_by_label(made.parameters)
        return made

    def _set_execution(self, sampling_dict: Mapping[str, Any]) -> None:
        given = {key: default if (value := sampling_dict.get(key)) is None else value
                 for key, default in _EXECUTION.items()}  # fmt: skip
        self.restart_hyperopt: bool = bool(given["restart"])
        self.parallel_hyperopt: bool = bool(given["parallel"])
        self.db_host: str = given["db_host"]
        self.db_port: int = given["db_port"]
        self.db_name: str = given["db_name"]
        self.num_mongo_workers: int = given["num_mongo_workers"]
        self.prune: bool = bool(given["prune"])
        sources = given["use_tries_from"] or ()
        self.use_tries_from: tuple[str, ...] = (sources,) if isinstance(sources, str) else tuple(map(str, sources))

    def _choose_among_sets(self, sections: Mapping[str, Any]) -> None:
        beside = sorted(set(sections) - {_SETS})
        if beside:
            raise SpaceError(f"a scan among whole parameter sets scans nothing else, given also {', '.join(beside)}")
        sets = sections[_SETS]
        if not isinstance(sets, list | tuple) or not all(isinstance(entry, Mapping) for entry in sets):
            raise SpaceError(f"parameters: accepted is a list of parameter sets, given {sets!r}")
        self.parameters = {_SETS: hp_choice(_SETS, sets)}
        self.hyper_keys.add(_SETS)

    def _read(self, sections: Mapping[str, Any]) -> None:
        for name, keys in SECTION_KEYS.items():
            if name in sections:
                _require_mapping(name, sections[name])
                known_only(f"key of {name}", sections[name], keys)
        if "stopping" in sections:
            self.stopping(**sections["stopping"])
        if "optimizer" in sections:
            self.optimizer(sections["optimizer"])
        if "positivity" in sections:
            self.positivity(**sections["positivity"])
        if "integrability" in sections:
            self.integrability(**sections["integrability"])
        if "architecture" in sections:
            nodes = self._original.get("nodes_per_layer")
            self.architecture(**sections["architecture"], output_size=nodes[-1] if nodes else None)
        if "space" in sections:
            for key, sampler in space_samplers(self.steps, sections["space"]).items():
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
        found = stopping_samplers(self.steps, min_epochs, max_epochs, min_patience, max_patience)
        for key, sampler in found.items():
            self._update_param(key, sampler)

    def optimizer(self, optimizers: list[Mapping[str, Any]]) -> None:
        """Scan `optimizer`: a list of {optimizer_name, learning_rate, clipnorm}, the latter fixed or sampled."""
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

    def _lagrange(self, key: str, prefix: str, *bounds: float | None) -> None:
        found = lagrange_samplers(prefix, *bounds)
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
        found = architecture_samplers(
            self.steps,
            initializers=initializers,
            activations=activations,
            max_drop=max_drop,
            n_layers=n_layers,
            min_units=min_units,
            max_units=max_units,
            layer_types=layer_types,
            output_size=output_size,
        )
        for key, sampler in found.items():
            self._update_param(key, sampler)

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
