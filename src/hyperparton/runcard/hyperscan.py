"""`hyperscan_config` and `kfold`: what is scanned, and how a trial is judged."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from hyperparton.catalogue import INITIALIZERS, LOSS_TYPES, OPTIMIZERS, PENALTIES, STATISTICS
from hyperparton.errors import nearest
from hyperparton.runcard.field_types import (
    Flag,
    Fraction,
    LessThanOne,
    ListField,
    NonNegative,
    Number,
    Port,
    Positive,
    Section,
    Share,
    Text,
    Whole,
    WholePositive,
    as_list,
    none_as,
    one_of,
    refuse,
)
from hyperparton.runcard.parameters import Activation, Initializer, LayerType, OptimizerName, Width

__all__ = ["HyperscanConfig", "KFold", "Partition"]

_SAMPLINGS = ("uniform", "log")


def _ordered(low: Any, high: Any, names: str) -> None:
    if low is not None and high is not None and not low < high:
        raise refuse(f"{names}: the lower bound must be below the upper", given=f"{low:g} and {high:g}")


def _both(section: Any, low: str, high: str) -> None:
    """Two bounds that come together, the first below the second."""
    first, second = getattr(section, low), getattr(section, high)
    if (first is None) != (second is None):
        given, absent = (low, high) if second is None else (high, low)
        raise refuse(f"{given} is given without {absent}", f"both {low} and {high}", f"{given} alone")
    _ordered(first, second, f"{low} and {high}")


class Range(Section):
    """`{min, max, sampling: uniform|log}`."""

    min: Number
    max: Number
    sampling: Annotated[str, one_of("sampling", _SAMPLINGS)] = "uniform"

    @model_validator(mode="after")
    def _bounds(self) -> Range:
        _ordered(self.min, self.max, "min and max")
        if self.sampling == "log" and self.min <= 0:
            raise refuse("a logarithmic range needs min above 0", given=f"{self.min:g}")
        return self


def _number_or_range(value: Any) -> Any:
    """A fixed number, or a range of numbers above 0."""
    if isinstance(value, dict):
        return Range.model_validate(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise refuse("must be a number or a range", "a number, or {min, max, sampling: uniform or log}")
    return value


Scanned = Annotated[Any, BeforeValidator(_number_or_range)]


class ScannedOptimizer(Section):
    """One entry of `hyperscan_config: optimizer`."""

    optimizer_name: OptimizerName
    learning_rate: Scanned = None
    clipnorm: Scanned = None
    momentum: Scanned = None
    nesterov: Flag | None = None

    @model_validator(mode="after")
    def _its_own_arguments(self) -> ScannedOptimizer:
        known = OPTIMIZERS[self.optimizer_name]
        for key in self.model_fields_set - {"optimizer_name"}:
            if key not in known and getattr(self, key) is not None:
                raise refuse(
                    f"optimizer {self.optimizer_name} has no {key!r}{nearest(key, known)}", ", ".join(known), key
                )
        return self


class Stopping(Section):
    """`hyperscan_config: stopping`; a patience bound alone has 0 or 1 beside it."""

    min_epochs: WholePositive | None = None
    max_epochs: WholePositive | None = None
    min_patience: Share | None = None
    max_patience: Share | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Stopping:
        _both(self, "min_epochs", "max_epochs")
        low = 0.0 if self.min_patience is None else self.min_patience
        high = 1.0 if self.max_patience is None else self.max_patience
        _ordered(low, high, "min_patience and max_patience")
        return self


class ScannedLagrange(Section):
    """`hyperscan_config: positivity` and `integrability`; the multiplier's range begins at 1 if nothing is said."""

    min_multiplier: Number | None = None
    max_multiplier: Number | None = None
    min_initial: Positive | None = None
    max_initial: Positive | None = None

    @model_validator(mode="after")
    def _bounds(self) -> ScannedLagrange:
        if self.max_multiplier is None and self.min_multiplier is not None:
            raise refuse("min_multiplier is given without max_multiplier", "both, or max_multiplier alone")
        low = 1.0 if self.min_multiplier is None else self.min_multiplier
        _ordered(low, self.max_multiplier, "min_multiplier and max_multiplier")
        _both(self, "min_initial", "max_initial")
        return self


def _all_names(value: Any) -> Any:
    return list(INITIALIZERS) if value == "ALL" else value


class Architecture(Section):
    """`hyperscan_config: architecture`."""

    initializers: Annotated[tuple[Initializer, ...], ListField, BeforeValidator(_all_names)] | None = None
    activations: Annotated[tuple[Activation, ...], ListField] | None = None
    max_drop: LessThanOne | None = None
    n_layers: Annotated[tuple[WholePositive, ...], ListField] | None = None
    min_units: Width | None = None
    max_units: Width | None = None
    layer_types: Annotated[tuple[LayerType, ...], ListField] | None = None

    @model_validator(mode="after")
    def _widths(self) -> Architecture:
        if self.n_layers and (self.min_units is None or self.max_units is None):
            raise refuse("n_layers needs both min_units and max_units", "min_units and max_units")
        if not self.n_layers and (self.min_units is not None or self.max_units is not None):
            raise refuse("min_units and max_units need n_layers, the depths that are scanned", "n_layers: [2, 3]")
        _ordered(self.min_units, self.max_units, "min_units and max_units")
        for name in ("initializers", "activations", "n_layers", "layer_types"):
            listed = getattr(self, name) or ()
            if len(set(listed)) < len(listed):
                raise refuse(f"{name} names one of its entries twice", given=str(list(listed)))
        return self


class OwnRange(Section):
    """One entry of `hyperscan_config: space`: a range, a grid or a choice."""

    min: Number | None = None
    max: Number | None = None
    sampling: Annotated[str, one_of("sampling", ("uniform", "log", "quniform"))] | None = None
    step: Positive | None = None
    steps: WholePositive | None = None
    make_int: Flag = False
    choice: Annotated[tuple[Any, ...], ListField] | None = None

    @model_validator(mode="after")
    def _complete(self) -> OwnRange:
        if self.choice is not None:
            if len(self.model_fields_set) > 1 or not self.choice:
                raise refuse("`choice` needs a list of options and nothing beside it", "{choice: [...]}")
            return self
        if self.min is None or self.max is None:
            raise refuse("needs both min and max, or a choice", "{min, max, sampling} or {choice: [...]}")
        _ordered(self.min, self.max, "min and max")
        if self.sampling == "log" and self.min <= 0:
            raise refuse("a logarithmic range needs min above 0", given=f"{self.min:g}")
        if self.sampling in ("uniform", "log") and (self.step or self.steps or self.make_int):
            raise refuse("step, steps and make_int need sampling: quniform", given=str(self.sampling))
        return self


def _listed_names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else as_list(value)


class HyperscanConfig(Section):
    """`hyperscan_config`."""

    stopping: Stopping | None = None
    optimizer: Annotated[tuple[ScannedOptimizer, ...], ListField] | None = None
    positivity: ScannedLagrange | None = None
    integrability: ScannedLagrange | None = None
    architecture: Architecture | None = None
    space: dict[str, OwnRange] | None = None
    parameters: Annotated[tuple[dict[str, Any], ...], ListField] | None = None
    restart: Flag | None = None
    parallel: Flag | None = None
    db_host: Text | None = None
    db_port: Port | None = None
    db_name: Text | None = None
    num_mongo_workers: WholePositive | None = None
    prune: Flag | None = None
    use_tries_from: Annotated[tuple[Text, ...], BeforeValidator(_listed_names)] | None = None

    @property
    def scanned(self) -> tuple[str, ...]:
        """The sections that say what is scanned, of those given."""
        names = ("stopping", "optimizer", "positivity", "integrability", "architecture", "space", "parameters")
        return tuple(name for name in names if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_way(self) -> HyperscanConfig:
        if self.parameters is not None and len(self.scanned) > 1:
            beside = ", ".join(name for name in self.scanned if name != "parameters")
            raise refuse("a scan among whole parameter sets scans nothing else", given=f"also {beside}")
        for name in ("optimizer", "parameters"):
            if getattr(self, name) is not None and not getattr(self, name):
                raise refuse(f"{name} must be a list with at least one entry", given="[]")
        return self


class Partition(Section):
    """One fold: the data sets that it hides."""

    datasets: Annotated[tuple[Text, ...], ListField, none_as(list)]
    overfit: Flag = False
    weight: NonNegative = 1.0


Statistic = Annotated[str, one_of("statistic", STATISTICS)]


class KFold(Section):
    """`kfold`. `target` is the older name of `fold_statistic`."""

    partitions: Annotated[tuple[Partition, ...], ListField]
    threshold: Positive = 50.0
    penalties: Annotated[tuple[Annotated[str, one_of("penalty", PENALTIES)], ...], ListField, none_as(list)] = ()
    loss_type: Annotated[str, one_of("loss_type", LOSS_TYPES), none_as(lambda: "chi2")] = "chi2"
    replica_statistic: Annotated[Statistic, none_as(lambda: "average")] = "average"
    fold_statistic: Annotated[Statistic, none_as(lambda: "average")] = "average"
    target: Statistic | None = None
    reduce_proportion: Fraction = 0.85
    penalties_in_loss: Flag = False
    verbosity: dict[str, Any] | Whole | None = None

    @model_validator(mode="before")
    @classmethod
    def _synonyms(cls, given: Any) -> Any:
        """`target` fills `fold_statistic` where that is not given."""
        if isinstance(given, dict) and given.get("fold_statistic") is None and given.get("target") in STATISTICS:
            return {**given, "fold_statistic": given["target"]}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> KFold:
        if not self.partitions:
            raise refuse("partitions needs at least one fold", given="[]")
        if self.target is not None and self.target != self.fold_statistic:
            raise refuse(
                "target and fold_statistic are two names of the same thing",
                "one of them",
                f"{self.target} and {self.fold_statistic}",
            )
        return self
