"""`hyperparton init`: a card to start from and a README, copied out of the package."""

from __future__ import annotations

import re
import shlex
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
    run: str
    """the command that runs it"""
    output: str
    """the scan's folder, from where the command runs"""
    needs: str = ""
    """what else to install, as pip takes it"""

    @property
    def card(self) -> str:
        """The name of its runcard."""
        return next(name for name in self.files if name.endswith(".yml"))

    def text(self, name: str) -> str:
        """The content of one of its files."""
        return (files("hyperparton") / "examples" / name).read_text(encoding="utf-8")

    @property
    def what(self) -> str:
        """What it is: the words at the head of its first file."""
        text = self.text(self.files[0])
        head = text.split('"""')[1] if text.startswith('"""') else re.sub("^# ?", "", text, flags=re.MULTILINE)
        return " ".join(head.strip().partition("\n\n")[0].split())


#: what `--example` accepts, the default first
EXAMPLES = {
    "dis_small": Example(("dis_small.yml",), "hyperparton scan dis_small.yml --trials 10 --report", "dis_small"),
    "dis": Example(("dis.yml",), "hyperparton scan dis.yml --trials 30 --report", "dis"),
    "own_trainer": Example(
        ("own_trainer.yml", "own_trainer.py"),
        "hyperparton scan own_trainer.yml --trials 30 --report",
        "own_trainer",
        "scikit-learn",
    ),
    "slurm": Example(
        ("slurm_dask.py", "slurm_array.sh", "dis.yml"),
        "python slurm_dask.py dis.yml --jobs 50 --trials 2000 --lag 100 --report",
        "dis",
        "'hyperparton[cluster]'",
    ),
}

_README = """# {title}

{what}

{install}    {run}

This runs the scan and writes its report, `{output}/report/index.html`: which methodology is best and by how much,
whether the scan has converged, which hyperparameters matter, and what failed and why. The same command continues the
scan; a larger `--trials` adds trials. While it runs:

    hyperparton status {output} --follow      # in a terminal
    hyperparton dashboard {output}            # in a browser

Afterwards:

    hyperparton best {output}                 # the best trials, and the best one's parameters for a runcard
    hyperparton scan {card} --trials 30 --from {output} --output more    # learns from these trials
{fit}
`hyperparton check {card}` lists all that is wrong with a card that you have changed, and `hyperparton --help` lists the
commands.
"""

_FIT = "    hyperparton fit {card} --from {output} --replicas 4    # fits with the best methodology\n"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--example",
    type=click.Choice(list(EXAMPLES)),
    default=next(iter(EXAMPLES)),
    show_default=True,
    help="dis_small: a few DIS sets, seconds a trial; dis: all DIS data that ship; own_trainer: a trainer of one's "
    "own; slurm: jobs on a cluster.",
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
    if chosen.needs:
        click.echo(f"  pip install {chosen.needs}")
    click.echo(f"  {chosen.run}")


def _readme(name: str, example: Example) -> str:
    card, output = example.card, example.output
    return _README.format(
        title=name,
        what=example.what,
        install=f"    pip install {example.needs}\n" if example.needs else "",
        run=example.run,
        output=output,
        card=card,
        fit="" if "\ntrainer:" in example.text(card) else _FIT.format(card=card, output=output),
    )
