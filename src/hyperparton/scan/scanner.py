"""`HyperScanner`: the runcard's `parameters` with samplers in the place of what `hyperscan_config` scans.

Labels of samplers are those of n3fit, so that trials of both can be compared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from hyperparton.catalogue import N3FIT_INITIALIZERS
from hyperparton.errors import SpaceError, nearest
from hyperparton.runcard.faults import validated
from hyperparton.runcard.hyperscan_config import Architecture, HyperscanConfig, OwnRange, ScannedLagrange, Stopping
from hyperparton.scan.warm_start import parameter_sets
from hyperparton.space.frozen import freeze
from hyperparton.space.locate import nearest_values
from hyperparton.space.rounded import hp_rounded
from hyperparton.space.samplers import (
    Choice,
    QUniform,
    Sampler,
    hp_choice,
    hp_loguniform,
    hp_quniform,
    hp_uniform,
    optimizer_arg_wrapper,
)
from hyperparton.space.tree import choose, evaluate, readable, replace_samplers, samplers_by_label
from hyperparton.trials.trial import Trial

__all__ = ["ActivationStr", "HyperScanner"]

_Section = TypeVar("_Section", Architecture, ScannedLagrange, Stopping)

#: the key and label of a choice among whole parameter sets
_SETS = "parameters"


@dataclass(frozen=True)
class ActivationStr:
    """An activation for a network of any depth: called with the depth, it lists one per layer, the last one linear.

    It prints as its name.
    """

    function_name: str

    def __str__(self) -> str:
        return self.function_name

    def __call__(self, n_of_layers: int) -> list[str]:
        """The activations of a network with `n_of_layers` layers, the output layer included."""
        if n_of_layers < 1:
            raise SpaceError(f"a network needs at least one layer, given {n_of_layers!r}")
        return [self.function_name] * (n_of_layers - 1) + ["linear"]


class HyperScanner:
    """The search space of a scan.

    `parameters` and `sampling_dict` are the runcard's `parameters` and `hyperscan_config`; `steps` is into how many
    steps discrete ranges are divided. `hyper_keys` holds the keys of `parameters` that are scanned. Raises SpaceError
    for everything that is wrong with `sampling_dict` at once, and for a key that `parameters` does not declare.

    `use_tries_from` names earlier scans. Beside ranges their trials are what a scan's engine knows before it begins;
    alone, as in n3fit, the space is a choice among the parameters of those that succeeded.

    With `like_n3fit` the space is n3fit's own to the last draw: grids are rounded to multiples of their step, a sampled
    `positivity` loses the runcard's other entries, `integrability` is not sampled, ALL are the three initializers that
    n3fit has, and of an optimizer the learning rate comes before the clipnorm.

    The methods named as sections of `hyperscan_config` take the keys of their section, as n3fit's do.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        sampling_dict: Mapping[str, Any],
        steps: int = 5,
        *,
        like_n3fit: bool = False,
    ) -> None:
        for name, given in (("parameters", parameters), ("hyperscan_config", sampling_dict)):
            if not isinstance(given, Mapping):
                raise SpaceError(f"{name}: accepted is a dictionary, given {given!r}")
        config = _config(sampling_dict)
        self._original = copy.deepcopy(dict(parameters))
        self.parameters: dict[str, Any] = copy.deepcopy(self._original)
        self.steps = steps
        self.like_n3fit = like_n3fit
        self._grid = hp_rounded if like_n3fit else hp_quniform
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
    def of_space(cls, space: Mapping[str, Any], keys: Iterable[str] | None = None) -> HyperScanner:
        """The scanner of a space that is there already: a dictionary with samplers at any depth.

        They may be in dictionaries, in lists and in the options of choices. `keys` are those of the scanned entries, by
        default of all that hold a sampler.
        """
        made = cls({}, {})
        made.parameters = dict(space)
        held = (key for key, entry in made.parameters.items() if samplers_by_label(entry))
        made.hyper_keys = set(held if keys is None else keys)
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
        if config.integrability is not None and not self.like_n3fit:
            self.integrability(**given["integrability"])
        if config.architecture is not None:
            nodes = self._original.get("nodes_per_layer")
            self.architecture(**given["architecture"], output_size=nodes[-1] if nodes else None)
        for key, entry in (config.space or {}).items():
            self._scan(key, self._own_sampler(key, entry))

    def _scan(self, key: str, sampler: Any) -> None:
        """Put a sampler, or what holds some, in the place of a declared parameter; None leaves what is there.

        A range with equal bounds is a fixed value, and what holds nothing else is not scanned.
        """
        if sampler is None:
            return
        if key not in self._original:
            raise SpaceError(
                f"hyperscan_config scans {key!r}, which `parameters` does not declare{nearest(key, self._original)}, "
                f"declared: {', '.join(self._original)}"
            )
        self.parameters[key] = _with_fixed_values(sampler)
        if samplers_by_label(self.parameters[key]):
            self.hyper_keys.add(key)

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
        """Scan `epochs`, in whole numbers, and `stopping_patience`, in `steps` steps."""
        section = _section(Stopping, "stopping", min_epochs, max_epochs, min_patience, max_patience)
        low, high = section.patience or (None, None)
        epochs = self._grid("epochs", section.min_epochs, section.max_epochs, step_size=1, make_int=True)
        self._scan("epochs", epochs)
        self._scan("stopping_patience", self._grid("stopping_patience", low, high, steps=self.steps))

    def optimizer(self, optimizers: list[Mapping[str, Any]]) -> None:
        """Scan `optimizer`: a list of {optimizer_name, learning_rate, clipnorm}, the latter fixed or sampled."""
        _config({"optimizer": optimizers})
        self._scan("optimizer", hp_choice("optimizer", [_optimizer(self._of_n3fit(entry)) for entry in optimizers]))

    def positivity(
        self,
        min_multiplier: float | None = None,
        max_multiplier: float | None = None,
        min_initial: float | None = None,
        max_initial: float | None = None,
    ) -> None:
        """Scan `multiplier`, uniform, and `initial`, logarithmic, of `positivity`, each if it has both bounds.

        Other entries of `positivity` keep the runcard's values.
        """
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
        section = _section(ScannedLagrange, key, *bounds)
        built = {
            "multiplier": hp_uniform(f"{prefix}multiplier", section.min_multiplier, section.max_multiplier),
            "initial": hp_loguniform(f"{prefix}initial", section.min_initial, section.max_initial),
        }
        if scanned := {name: sampler for name, sampler in built.items() if sampler is not None}:
            kept = {} if self.like_n3fit else self._original.get(key) or {}
            self._scan(key, {**kept, **scanned})

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
        """Scan the network: `layer_type`, `activation_per_layer`, `nodes_per_layer`, `initializer` and `dropout`.

        Widths exist for their depth only, and the last one is `output_size`.
        """
        ranges = (initializers, activations, max_drop, n_layers, min_units, max_units, layer_types)
        section = _section(Architecture, "architecture", *ranges)
        low, high = section.min_units, section.max_units
        widths = [[*self._hidden(depth, low, high), output_size] for depth in section.n_layers or ()]
        functions = [ActivationStr(name) for name in section.activations or ()]
        self._scan("layer_type", hp_choice("layer_type", section.layer_types))
        self._scan("activation_per_layer", hp_choice("activation_per_layer", functions))
        self._scan("nodes_per_layer", hp_choice("nodes_per_layer", widths))
        known = N3FIT_INITIALIZERS if self.like_n3fit and initializers == "ALL" else section.initializers
        self._scan("initializer", hp_choice("initializer", known))
        self._scan("dropout", self._grid("dropout", 0.0, section.max_drop, steps=self.steps))

    def _of_n3fit(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """An optimizer's entry, with `like_n3fit` only what n3fit reads of it, in its order."""
        if not self.like_n3fit:
            return entry
        return {key: entry[key] for key in ("optimizer_name", "learning_rate", "clipnorm") if key in entry}

    def _hidden(self, depth: int, low: int | None, high: int | None) -> list[Sampler | None]:
        """The widths of the hidden layers of a network of this depth."""
        labels = [f"nl{depth}:-{i}/{depth}" for i in range(depth)]
        return [self._grid(label, low, high, step_size=1, make_int=True) for label in labels]

    def _own_sampler(self, name: str, entry: OwnRange) -> Sampler | None:
        """The sampler of a parameter of the user's own, from the section `space`."""
        if entry.choice is not None:
            return hp_choice(name, entry.choice)
        if not entry.grid:
            return (hp_loguniform if entry.sampling == "log" else hp_uniform)(name, entry.min, entry.max)
        step, count = entry.step, entry.steps
        if step is None and count is None:
            step, count = (1, None) if entry.make_int else (None, self.steps)
        return hp_quniform(name, entry.min, entry.max, step_size=step, steps=count, make_int=entry.make_int)

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

    def own(self) -> dict[str, Any]:
        """The values, by label, that the space has nearest to the runcard's own `parameters`, as far as these say."""
        return nearest_values(self.parameters, readable(self._original))

    def own_vals(self, seed: int) -> dict[str, list[Any]] | None:
        """The point of the space nearest to the runcard's own `parameters`; what they do not say is drawn from `seed`.

        None where they say nothing of what is scanned.
        """
        own = self.own()
        if not own:
            return None
        rng = np.random.default_rng(seed)
        return choose(self.parameters, lambda sampler: own.get(sampler.label, sampler.draw(rng)))

    def _flat(self, chosen: dict[str, Any]) -> dict[str, Any]:
        return chosen[_SETS] if _SETS in self.hyper_keys else chosen


def _config(given: Mapping[str, Any]) -> HyperscanConfig:
    return validated(HyperscanConfig, given, SpaceError, "hyperscan_config")


def _section(model: type[_Section], key: str, *values: Any) -> _Section:
    """A section of `hyperscan_config` from the values of its fields, in their order; None is not given."""
    return validated(model, dict(zip(model.model_fields, values, strict=True)), SpaceError, key)


def _optimizer(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer with its arguments, fixed or sampled, in the order in which they stand."""
    name = entry["optimizer_name"]
    chosen = {
        key: value if isinstance(value, bool | str) else optimizer_arg_wrapper(f"{name}_{key}", value)
        for key, value in entry.items()
        if value is not None
    }
    return {"optimizer_name": name, **chosen}


def _with_fixed_values(node: Any) -> Any:
    """The structure with the number itself in place of each range that has one value."""

    def settled(sampler: Sampler) -> Any:
        if isinstance(sampler, Choice):
            return Choice(sampler.label, tuple(freeze(_with_fixed_values(option)) for option in sampler.options))
        if sampler.lower < sampler.upper:
            return sampler
        return sampler.cast(sampler.lower) if isinstance(sampler, QUniform) else sampler.lower

    return replace_samplers(node, settled)


def _vals(trial: Trial | Mapping[str, Any]) -> dict[str, list[Any]]:
    if isinstance(trial, Trial):
        held: Mapping[str, Any] = trial.vals
    else:
        held = trial["misc"]["vals"] if isinstance(trial.get("misc"), Mapping) else trial
    return {label: list(value) if isinstance(value, list | tuple) else [value] for label, value in held.items()}
