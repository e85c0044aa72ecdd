"""`hyperparton export`: a scan's trials in another program's storage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hyperparton.errors import StoreError

__all__ = ["export"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--to",
    "program",
    type=click.Choice(["optuna"]),
    default="optuna",
    show_default=True,
    help="Whose storage: a study that Optuna's dashboard, figures and importances read.",
)
@click.option(
    "--storage", metavar="URL", help="Optuna's storage, sqlite:///FILE or another database. Default: DIR/optuna.db."
)
@click.option("--study", metavar="NAME", help="Name of the study.  [default: the name of DIR]")
def export(directory: Path, program: str, storage: str | None, study: str | None) -> None:
    """Write the finished trials of the scan in DIR, hyperparton's or n3fit's, as a study of Optuna's.

    Run again, it adds the trials that were finished since.
    """
    from hyperparton.interop.optuna_study import export_study
    from hyperparton.interop.storage_url import storage_name
    from hyperparton.text import counted
    from hyperparton.trials.tries_read import read_trials

    target = storage or (directory / "optuna.db").resolve()
    done = export_study(read_trials(directory), _space(directory), target, study or _name(directory))
    present = f", {done.present} were there" if done.present else ""
    left = f", {done.unfinished} unfinished ones left out" if done.unfinished else ""
    added = counted(done.added, "trial")
    click.echo(f"{storage_name(target)}: study {done.name}: {added} added{present}{left}")


def _name(directory: Path) -> str:
    """The name of a folder as text, whatever its bytes are."""
    return os.fsencode(directory.resolve().name).decode(errors="replace")


def _space(directory: Path) -> Mapping[str, Any]:
    """The search space of the card that a scan keeps in its folder."""
    from hyperparton.runcard.yaml_positions import load_document
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.workflow.ranges import scanned_ranges

    path = ScanFolder(directory).runcard
    if not os.path.isfile(path):
        raise StoreError(f"{directory}: export needs the folder of a scan with its card; looked for {path}")
    return scanned_ranges(load_document(path)).space
