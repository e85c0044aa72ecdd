"""`hyperparton init`: a card to start from and a README, copied out of the package."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click

from hyperparton.errors import StoreError

__all__ = ["EXAMPLES", "Example", "init"]


@dataclass(frozen=True)
class Example:
    """A folder to start from: files of `hyperparton/examples`, the first of which says at its head what it is."""

    files: tuple[str, ...]
    run: tuple[str, ...]
    """the commands that run it and write its report"""
    output: str
    """the scan's folder, from where the commands run"""
    needs: str = ""
    """what else to install, as pip takes it"""

    @property
    def card(self) -> str | None:
        """The name of its runcard, if it has one."""
        return next((name for name in self.files if name.endswith(".yml")), None)

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands, from the installation on."""
        return (f"pip install {self.needs}", *self.run) if self.needs else self.run

    def text(self, name: str) -> str:
        """The content of one of its files."""
        return (files("hyperparton") / "examples" / name).read_text(encoding="utf-8")

    @property
    def what(self) -> str:
        """What it is: the words at the head of its first file."""
        text = self.text(self.files[0])
        head = text.split('"""')[1] if text.startswith('"""') else re.sub("^# ?", "", text, flags=re.MULTILINE)
        return " ".join(head.strip().partition("\n\n")[0].split())


def _scan(files: tuple[str, ...], trials: int, needs: str = "") -> Example:
    """The example of a card, the first of the files."""
    return Example(files, (f"hyperparton scan {files[0]} --trials {trials} --report",), Path(files[0]).stem, needs)


def _script(library: str, needs: str = "") -> Example:
    """The example of a script that calls `minimise`."""
    file, output = f"minimise_{library}.py", f"scans/{library}"
    return Example((file,), (f"python {file}", f"hyperparton report {output}"), output, needs)


_SLURM = "python slurm_dask.py dis.yml --jobs 50 --trials 2000 --lag 100 --report"

#: what `--example` accepts, the default first
EXAMPLES = {
    "dis_small": _scan(("dis_small.yml",), 10),
    "dis": _scan(("dis.yml",), 30),
    "own_trainer": _scan(("own_trainer.yml", "own_trainer.py"), 30, "scikit-learn"),
    "sklearn": _script("sklearn", "scikit-learn"),
    "torch": _script("torch", "torch"),
    "jax": _script("jax"),
    "slurm": Example(("slurm_dask.py", "slurm_array.sh", "dis.yml"), (_SLURM,), "dis", "'hyperparton[cluster]'"),
}

_README = """# {title}

{what}

{first}
This runs the scan and writes its report, `{output}/report/index.html`: which methodology is best and by how much,
whether the scan has converged, which hyperparameters matter, and what failed and why. The same command continues the
scan; with a larger number of trials it adds trials. While it runs:

    hyperparton status {output} --follow      # in a terminal
    hyperparton dashboard {output}            # in a browser

Afterwards:

{then}
{more}`hyperparton --help` lists the commands.
"""

_CHECK = "`hyperparton check {card}` lists all that is wrong with a card that you have changed. "


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--example",
    type=click.Choice(list(EXAMPLES)),
    default=next(iter(EXAMPLES)),
    show_default=True,
    help="dis_small: a few DIS sets, seconds a trial; dis: all DIS data that ship; own_trainer: a trainer of one's "
    "own, with a card; sklearn, torch, jax: a function of one's own, without one; slurm: jobs on a cluster.",
)
def init(folder: Path, example: str) -> None:
    """Write a card and a README to start from into DIR, by default the current folder. Nothing is written over."""
    chosen = EXAMPLES[example]
    texts = {name: chosen.text(name) for name in chosen.files}
    texts["README.md"] = _readme(example, chosen)
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise StoreError(
            f"{folder / there[0]}: is there already, and nothing is written over it; choose another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as fault:
        raise StoreError(f"{fault.filename or folder}: cannot be written: {fault.strerror}") from fault
    for name in texts:
        click.echo(folder / name)
    click.echo(f"\n{chosen.what}\n\nnext:")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    for command in chosen.commands:
        click.echo(f"  {command}")


def _readme(name: str, example: Example) -> str:
    card, output = example.card, example.output
    then = [f"hyperparton best {output}    # the best trials, and the best one's parameters"]
    if card is not None:
        then.append(f"hyperparton scan {card} --trials 30 --from {output} --output more    # learns from these trials")
        if "\ntrainer:" not in example.text(card):
            then.append(f"hyperparton fit {card} --from {output} --replicas 4    # fits with the best methodology")
    return _README.format(
        title=name,
        what=example.what,
        first=_block(example.commands),
        output=output,
        then=_block(then),
        more="" if card is None else _CHECK.format(card=card),
    )


def _block(commands: Sequence[str]) -> str:
    return "".join(f"    {command}\n" for command in commands)
