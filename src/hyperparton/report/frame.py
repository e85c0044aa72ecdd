"""The trials of a scan as a pandas DataFrame, for a reader's own analysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperparton.report.losses import Loss
from hyperparton.report.tables import beside
from hyperparton.trials.trial import Trial
from hyperparton.trials.tries_read import read_trials

if TYPE_CHECKING:
    import pandas

__all__ = ["trials_frame"]

#: measures of the folds -> columns with their means over folds
_FOLDS = {"chi2": "chi2", "phi2": "inverse_phi2", "logp": "logp", "chi2exp": "chi2exp"}


def trials_frame(place: str | Path) -> pandas.DataFrame:
    """The trials of a scan's folder or of a `tries.json`, n3fit's too: a row each, its index the trial's number.

    Columns are `status` (ok, fail, running, waiting), `pruned`, `loss`, `validation_loss`, `experimental_loss`,
    `begin` and `end` (UTC), `seconds`, `reason` of a failure; where trials have folds, means over these: `chi2`,
    `inverse_phi2` and `logp` of the hidden data, `chi2exp` of the fitted data; and a column for each hyperparameter, by
    the names of the report. One that has the name of another column is `parameter.NAME`. Where something is not known,
    or a hyperparameter does not apply, a cell is missing.

    Raises StoreError where there are no trials.
    """
    import pandas as pd

    trials = read_trials(place)
    fixed = [_fixed(trial) for trial in trials]
    taken = {name for row in fixed for name in row}
    rows = [
        {**row, **{beside(name, taken): _cell(value) for name, value in trial.stated.items()}}
        for row, trial in zip(fixed, trials, strict=True)
    ]
    frame = pd.DataFrame(rows, index=pd.Index([trial.number for trial in trials], name="trial"))
    for name in ("begin", "end"):
        frame[name] = pd.to_datetime(frame[name], unit="s", utc=True)
    known = {name for row in fixed for name, value in row.items() if value is not None}
    return frame.drop(columns=[name for name in _FOLDS.values() if name not in known])


def _fixed(trial: Trial) -> dict[str, Any]:
    """What does not depend on the hyperparameters that a scan has."""
    told = {
        "status": trial.status, "pruned": trial.pruned, "loss": trial.loss, "validation_loss": trial.validation_loss,
        "experimental_loss": trial.experimental_loss, "begin": trial.begin, "end": trial.end, "seconds": trial.seconds,
        "reason": trial.reason,
    }  # fmt: skip
    return told | {column: Loss(measure)(trial) for measure, column in _FOLDS.items()}


def _cell(value: Any) -> Any:
    """A value that a cell can hold; the widths of layers and other lists as a tuple, which can be compared."""
    return tuple(value) if isinstance(value, list) else value
