"""`kfold`: the folds of a scan, and how their fits make the loss of a trial."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from hyperparton.catalogue import LOSS_TYPES, PENALTIES, STATISTICS
from hyperparton.runcard.field_types import (
    Beside,
    FilledList,
    Flag,
    Fraction,
    ListField,
    Name,
    NonNegative,
    Positive,
    Section,
    as_list,
    conflict,
    one_of,
)

__all__ = ["KFold", "Partition"]


class Partition(Section):
    """One fold: the data sets that it hides."""

    datasets: Annotated[
        tuple[Name, ...],
        BeforeValidator(lambda value: () if value is None else as_list(value)),
        Beside({"type": "null"}),
    ]
    """Data sets that are hidden from the fit of this fold."""
    overfit: Flag = False
    """Whether the hidden data are fitted all the same."""
    weight: NonNegative = 1.0
    """Factor of the fold's loss."""


Statistic = Annotated[str, *one_of("statistic", STATISTICS)]


class KFold(Section):
    """`kfold`. `target` is the older name of `fold_statistic`."""

    partitions: Annotated[tuple[Partition, ...], *FilledList]
    """The folds; each hides its data sets from one of the fits."""
    threshold: Positive = 50.0
    """Loss of a fold above which the trial fails."""
    penalties: Annotated[tuple[Annotated[str, *one_of("penalty", PENALTIES)], ...], ListField] = ()
    """Penalties that are computed."""
    loss_type: Annotated[str, *one_of("loss_type", LOSS_TYPES)] = "chi2"
    """Number by which a fold is judged."""
    replica_statistic: Statistic = "average"
    """How replicas are summed up in a fold's loss."""
    fold_statistic: Statistic = "average"
    """How folds are summed up in a trial's loss."""
    target: Statistic | None = None
    """Older name of fold_statistic."""
    reduce_proportion: Fraction = 0.85
    """Share of the replicas, the best ones, whose validation χ² counts."""
    penalties_in_loss: Flag = False
    """Whether the penalties are added to the loss."""
    verbosity: Any = None
    """n3fit's; it changes nothing."""

    def best(self, replicas: int) -> int:
        """How many of so many replicas count as the best ones."""
        return math.ceil(self.reduce_proportion * replicas)

    @model_validator(mode="before")
    @classmethod
    def _synonyms(cls, given: Any) -> Any:
        """`target` fills `fold_statistic` where that is not given."""
        if isinstance(given, dict) and given.get("fold_statistic") is None and given.get("target") in STATISTICS:
            return {**given, "fold_statistic": given["target"]}
        return given

    @model_validator(mode="after")
    def _one_statistic(self) -> KFold:
        if self.target is not None and self.target != self.fold_statistic:
            raise conflict(
                "target and fold_statistic are two names of the same thing",
                "one of them",
                f"{self.target} and {self.fold_statistic}",
            )
        return self
