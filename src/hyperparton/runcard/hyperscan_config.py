"""`hyperscan_config`: what a scan samples."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)

from hyperparton.catalogue import INITIALIZERS
from hyperparton.runcard.field_types import (
    Beside,
    Depth,
    FilledList,
    Flag,
    LessThanOne,
    ListField,
    NonNegative,
    Number,
    Port,
    Positive,
    Section,
    Share,
    Text,
    Texts,
    WholePositive,
    Width,
    conflict,
    one_of,
    refuse,
)
from hyperparton.runcard.parameters import Activation, Initializer, LayerType, OptimizerName, its_own_arguments

__all__ = ["Architecture", "HyperscanConfig", "OwnRange", "Range", "ScannedLagrange", "ScannedOptimizer", "Stopping"]


def _ordered(low: float | None, high: float | None, names: str, sampling: str | None = None) -> None:
    if low is None or high is None:
        return
    if low > high:
        raise conflict(f"{names}: the lower bound is above the upper", given=f"{low:g} and {high:g}")
    if sampling == "log" and low <= 0:
        raise conflict("a logarithmic range needs min above 0", given=f"{low:g}")


class Range(Section):
    """`{min, max, sampling: uniform|log}`; with equal bounds a fixed value."""

    min: Number
    """Lower bound."""
    max: Number
    """Upper bound; equal to min it is a fixed value."""
    sampling: Annotated[str, *one_of("sampling", ("uniform", "log"))] = "uniform"
    """uniform, or log (uniform in the logarithm)."""

    @model_validator(mode="after")
    def _bounds(self) -> Range:
        _ordered(self.min, self.max, "min and max", self.sampling)
        return self


def _or_range(kind: Any) -> WrapValidator:
    """A fixed number of this kind, which stays as it is written, or a range to draw it from."""
    fixed = TypeAdapter(kind)

    def validate(value: Any, handler: Any) -> Any:
        if isinstance(value, Mapping | Range):
            read = Range.model_validate(value)
            for name in ("min", "max"):
                _bound(fixed, name, getattr(read, name))
            return read
        if isinstance(value, bool) or not isinstance(value, Real):
            raise refuse("must be a number or a range", "a number, or {min, max, sampling: uniform or log}")
        fixed.validate_python(value)
        return value

    return WrapValidator(validate)


def _bound(fixed: TypeAdapter[Any], name: str, value: float) -> None:
    """Refuse the bound of a range that is no value of its kind: a rule that the JSON Schema cannot say."""
    try:
        fixed.validate_python(value)
    except ValidationError as error:
        (detail,) = error.errors(include_url=False)
        context = detail.get("ctx", {})
        raise conflict(f"{name} {context['message']}", context.get("accepted"), f"{value:g}") from None


class ScannedOptimizer(Section):
    """One entry of `hyperscan_config: optimizer`."""

    optimizer_name: OptimizerName
    """Its name."""
    learning_rate: Annotated[Positive | Range, _or_range(Positive)] | None = None
    """A number, or a range."""
    clipnorm: Annotated[NonNegative | Range, _or_range(NonNegative)] | None = None
    """A number, or a range."""
    momentum: Annotated[Share | Range, _or_range(Share)] | None = None
    """A number, or a range."""
    nesterov: Flag | None = None
    """Whether SGD's momentum is Nesterov's."""

    @model_validator(mode="after")
    def _its_own_arguments(self) -> ScannedOptimizer:
        its_own_arguments(self)
        return self


class Stopping(Section):
    """`hyperscan_config: stopping`; a patience bound alone has 0 or 1 beside it."""

    min_epochs: WholePositive | None = None
    """Fewest epochs."""
    max_epochs: WholePositive | None = None
    """Most epochs."""
    min_patience: Share | None = None
    """Least patience; 0 if only the other is given."""
    max_patience: Share | None = None
    """Greatest patience; 1 if only the other is given."""

    @property
    def patience(self) -> tuple[float, float] | None:
        """Both bounds of the patience, if one is given."""
        if self.min_patience is None and self.max_patience is None:
            return None
        return self.min_patience or 0.0, 1.0 if self.max_patience is None else self.max_patience

    @model_validator(mode="after")
    def _bounds(self) -> Stopping:
        _ordered(self.min_epochs, self.max_epochs, "min_epochs and max_epochs")
        _ordered(*(self.patience or (0, 1)), "min_patience and max_patience")
        return self


class ScannedLagrange(Section):
    """`hyperscan_config: positivity` and `integrability`."""

    min_multiplier: Positive = 1.0
    """Least growth of the multiplier."""
    max_multiplier: Positive | None = None
    """Greatest growth."""
    min_initial: Positive | None = None
    """Least first value."""
    max_initial: Positive | None = None
    """Greatest first value; it is sampled in its logarithm."""

    @model_validator(mode="after")
    def _bounds(self) -> ScannedLagrange:
        _ordered(self.min_multiplier, self.max_multiplier, "min_multiplier and max_multiplier")
        _ordered(self.min_initial, self.max_initial, "min_initial and max_initial")
        return self


def _each_once(listed: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(listed)) < len(listed):
        raise refuse("names one of its entries twice", given=str(list(listed)))
    return listed


EachOnce = AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})


class Architecture(Section):
    """`hyperscan_config: architecture`."""

    initializers: (
        Annotated[
            tuple[Initializer, ...],
            ListField,
            BeforeValidator(lambda value: list(INITIALIZERS) if value == "ALL" else value),
            *EachOnce,
            Beside({"const": "ALL"}),
        ]
        | None
    ) = None
    """Initializers to choose from; ALL means every known one."""
    activations: Annotated[tuple[Activation, ...], ListField, *EachOnce] | None = None
    """Activations of all layers but the last."""
    max_drop: LessThanOne | None = None
    """Greatest dropout."""
    n_layers: Annotated[tuple[Depth, ...], ListField, *EachOnce] | None = None
    """Numbers of hidden layers to choose from."""
    min_units: Width | None = None
    """Least width of a hidden layer."""
    max_units: Width | None = None
    """Greatest width."""
    layer_types: Annotated[tuple[LayerType, ...], ListField, *EachOnce] | None = None
    """Layer types to choose from."""

    @model_validator(mode="after")
    def _widths(self) -> Architecture:
        given = ", ".join(key for key in ("n_layers", "min_units", "max_units") if getattr(self, key))
        if self.n_layers and (self.min_units is None or self.max_units is None):
            raise conflict("n_layers needs both min_units and max_units", "min_units and max_units", given)
        if given and not self.n_layers:
            raise conflict(
                "min_units and max_units need n_layers, the depths that are scanned", "n_layers: [2, 3]", given
            )
        _ordered(self.min_units, self.max_units, "min_units and max_units")
        return self


#: the keys of a range in a card, beside min and max
_OF_RANGES = frozenset({"min", "max", "sampling", "step", "steps", "make_int"})


def _no_range_within(options: Any) -> None:
    """Refuse a range or a choice inside an option: a trainer would receive it as it is written."""
    entries = options.values() if isinstance(options, Mapping) else options if isinstance(options, list | tuple) else ()
    for entry in entries:
        if isinstance(entry, Mapping) and ({"min", "max"} <= entry.keys() <= _OF_RANGES or entry.keys() == {"choice"}):
            accepted = "a range or choice as an entry of `space` itself"
            raise conflict("a range or a choice inside an option is not sampled", accepted, ", ".join(entry))
        _no_range_within(entry)


class OwnRange(Section):
    """One entry of `hyperscan_config: space`: a range, a grid or a choice."""

    min: Number | None = None
    """Lower bound."""
    max: Number | None = None
    """Upper bound."""
    sampling: Annotated[str, *one_of("sampling", ("uniform", "log", "quniform"))] | None = None
    """uniform, log (uniform in the logarithm) or quniform (a grid); quniform if step, steps or make_int is given."""
    step: Positive | None = None
    """Distance of the grid's points."""
    steps: WholePositive | None = None
    """Number of steps of the grid, in place of step."""
    make_int: Flag = False
    """Whether the trainer receives whole numbers."""
    choice: Annotated[tuple[Any, ...], *FilledList] | None = None
    """A list of values to choose from, in place of a range; none of them may hold a range."""

    @property
    def grid(self) -> bool:
        """Whether the range is a grid."""
        return self.sampling == "quniform" or bool(self.step or self.steps or self.make_int)

    @model_validator(mode="after")
    def _complete(self) -> OwnRange:
        if self.choice is not None:
            if len(self.model_fields_set) > 1:
                raise conflict("`choice` needs a list of options and nothing beside it", "{choice: [...]}")
            _no_range_within(self.choice)
            return self
        if self.min is None or self.max is None:
            raise conflict("needs both min and max, or a choice", "{min, max, sampling} or {choice: [...]}")
        _ordered(self.min, self.max, "min and max", self.sampling)
        if self.sampling in ("uniform", "log") and self.grid:
            raise conflict("step, steps and make_int need sampling: quniform", given=str(self.sampling))
        return self


def _sets(sets: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    _no_range_within(sets)
    return sets


class HyperscanConfig(Section):
    """`hyperscan_config`."""

    stopping: Stopping | None = None
    """Ranges of epochs and patience."""
    optimizer: Annotated[tuple[ScannedOptimizer, ...], *FilledList] | None = None
    """Optimizers to choose from, each with ranges of its own."""
    positivity: ScannedLagrange | None = None
    """Ranges of the positivity multiplier."""
    integrability: ScannedLagrange | None = None
    """Ranges of the integrability multiplier; n3fit accepts them and ignores them."""
    architecture: Architecture | None = None
    """Ranges of the network."""
    space: dict[str, OwnRange] | None = None
    """Ranges of any other parameter, by its name; for trainers of your own."""
    parameters: Annotated[tuple[dict[str, Any], ...], *FilledList, AfterValidator(_sets)] | None = None
    """Whole parameter sets to choose among; nothing else is sampled then."""
    restart: Flag = False
    """n3fit's; a scan always continues what its folder holds."""
    parallel: Flag = False
    """Whether many jobs work on the scan through a MongoDB."""
    db_host: Text = "localhost"
    """Host of the MongoDB."""
    db_port: Port = 27017
    """Its port."""
    db_name: Text = "hyperopt-db"
    """Name of its database."""
    num_mongo_workers: WholePositive = 1
    """Workers that this job starts."""
    prune: Flag = False
    """Whether trials that cannot become one of the best are stopped before their end."""
    from_hyperscan: Text | None = None
    """Earlier scan whose `hyperscan_config` is taken, in place of any key here."""
    use_tries_from: Texts = ()
    """Earlier scans: beside ranges, trials to learn from; alone, parameter sets to choose among."""

    @property
    def scanned(self) -> tuple[str, ...]:
        """The sections that say what is scanned, of those given."""
        names = ("stopping", "optimizer", "positivity", "integrability", "architecture", "space", "parameters")
        return tuple(name for name in names if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_way(self) -> HyperscanConfig:
        others = sorted(self.model_fields_set - {"from_hyperscan"})
        if self.from_hyperscan is not None and others:
            raise conflict(
                "from_hyperscan takes the whole hyperscan_config of that scan", "no other key", ", ".join(others)
            )
        if self.parameters is not None and len(self.scanned) > 1:
            beside = ", ".join(name for name in self.scanned if name != "parameters")
            raise conflict("a scan among whole parameter sets scans nothing else", given=f"also {beside}")
        return self
