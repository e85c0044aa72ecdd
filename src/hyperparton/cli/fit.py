"""`hyperparton fit`: one fit with a runcard's parameters, or with the best of a scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hyperparton.cli.common import checked_card, output_folder, replicas_option, runcard_argument, theory_options
from hyperparton.cli.progress import make_display
from hyperparton.errors import RuncardError
from hyperparton.runcard import Runcard

__all__ = ["fit"]


@click.command()
@runcard_argument
@replicas_option
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take the parameters of this scan's best trial.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Default: the runcard's stem.")
@theory_options
def fit(
    runcard: Path, replicas: int, source: Path | None, output: Path | None, theory: Path | None, t0pdfset: str | None
) -> None:
    """Fit all the data of RUNCARD with its parameters, replicas 1 to R at once."""
    card, _ = checked_card(runcard)
    if not isinstance(card, Runcard):
        raise RuncardError(
            [card.fault(("trainer",), "`fit` fits PDFs: a card with a trainer of its own can be scanned")]
        )
    parameters = None if source is None else _parameters_of(source)
    with make_display() as display:
        from hyperparton.data import load_fit_data
        from hyperparton.train import fit_runcard

        data = load_fit_data(card, theory, t0pdfset)
        display.say(f"theory {data.theory.theoryid}: {data.theory.origin}, {data.theory.path}")
        display.say(f"{data.ndata} points in {len(data.datasets)} data sets, t0 set {data.t0pdfset or 'none'}")
        result = fit_runcard(card, data, range(1, replicas + 1), parameters, display.epochs)
    folder = output_folder(card, output)
    used = dict(card.raw["parameters"]) if parameters is None else parameters
    _write(folder, card, result, used)
    _show(result)
    click.echo(f"written to {folder / 'nnfit'}")


def _parameters_of(source: Path) -> dict[str, Any]:
    from hyperparton.cli.best import best_parameters
    from hyperparton.trials import read_tries
    from hyperparton.trials.layout import ScanFolder

    path = ScanFolder.find_tries(source)
    return best_parameters(read_tries(path), path)


def _write(folder: Path, card: Runcard, result: Any, parameters: dict[str, Any]) -> None:
    """`nnfit/replica_<n>/<name>.json` for each replica, with the names that n3fit's files have."""
    from hyperparton.space import readable
    from hyperparton.trials.layout import ScanFolder, write_atomically

    ScanFolder(folder).write_runcard(card.text)
    name = folder.resolve().name
    for i, number in enumerate(result.replicas):
        content = {
            "best_epoch": int(result.best_epoch[i]),
            "stop_epoch": int(result.stop_epoch[i]),
            "erf_tr": float(result.training_chi2[i]),
            "erf_vl": float(result.validation_chi2[i]),
            "chi2": float(result.experimental_chi2[i]),
            "pos_state": "POS_PASS" if result.passed[i] else "POS_VETO",
            "hyperparameters": readable(parameters),
        }
        path = folder / "nnfit" / f"replica_{number}" / f"{name}.json"
        write_atomically(path, json.dumps(readable(content), indent=2, allow_nan=False) + "\n")


def _show(result: Any) -> None:
    click.echo("replica   chi2   training  validation  best epoch  stopped at")
    for i, number in enumerate(result.replicas):
        click.echo(
            f"{number:7d} {result.experimental_chi2[i]:6.3f} {result.training_chi2[i]:10.3f}"
            f" {result.validation_chi2[i]:11.3f} {int(result.best_epoch[i]):11d} {int(result.stop_epoch[i]):11d}"
            + ("" if result.passed[i] else "  no epoch passed positivity and threshold_chi2")
        )
    if len(result.replicas) > 1:
        mean, spread = result.experimental_chi2.mean(), result.experimental_chi2.std(ddof=1)
        click.echo(f"chi2 per point: mean {mean:.4f}, spread {spread:.4f}; of the mean PDF {result.central_chi2:.4f}")
