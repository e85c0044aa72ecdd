"""`hyperparton theory`: list, build and check FK tables."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from hyperparton.catalogue import Q2MIN, W2MIN
from hyperparton.host import cores, end_on_signals
from hyperparton.text import counted

__all__ = ["theory"]

_datasets_option = click.option(
    "--datasets",
    "-d",
    "datasets",
    multiple=True,
    metavar="SETS",
    callback=lambda context, option, sets: tuple(name for part in sets for name in part.replace(",", " ").split()),
    help="Data sets, by commas or with several --datasets; dis, positivity, integrability and all are the known ones.",
)


@click.group()
def theory() -> None:
    """List, build and check FK tables."""


@theory.command("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("--tables", "show_tables", is_flag=True, help="Name every table and data set.")
def list_command(folders: tuple[Path, ...], show_tables: bool) -> None:
    """Show the theories in DIRs, in HYPERPARTON_THEORY and those that ship: their tables, data sets and origin."""
    from hyperparton.theory.listing import datasets_of_tables, list_theories

    for each in list_theories(folders):
        click.echo(
            f"theory {each.theoryid}: {counted(len(each.tables), 'table')}, {each.size / 1e6:.1f} MB, {each.origin}"
        )
        click.echo(f"  folder: {each.path}")
        click.echo(f"  made by: {each.made_by}")
        click.echo(f"  data sets: {len(each.datasets)} of the {len(datasets_of_tables())} known to hyperparton")
        if show_tables:
            used = {name for dataset in each.datasets for name in datasets_of_tables()[dataset]}
            for dataset in each.datasets:
                click.echo(f"    {dataset}: {', '.join(datasets_of_tables()[dataset])}")
            other = sorted(set(each.tables) - used)
            if other:
                click.echo(f"    other tables: {', '.join(other)}")


@theory.command("build")
@click.argument("cards", nargs=-1, required=True, metavar="CARD...")
@_datasets_option
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder for theory_<id>.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    default=None,
    help="Processes, of one thread each.  [default: all cores that this process may use]",
)
@click.option("--q2min", type=float, default=Q2MIN, show_default=True, help="Rows of smaller Q² (GeV²) are left zero.")
@click.option("--w2min", type=float, default=W2MIN, show_default=True, help="Rows of smaller W² (GeV²) are left zero.")
@click.option("--keep-pieces", is_flag=True, help="Keep OUTPUT/.pieces, so that more tables can be built faster.")
def build_command(
    cards: tuple[str, ...],
    datasets: tuple[str, ...],
    output: Path,
    jobs: int | None,
    q2min: float,
    w2min: float,
    keep_pieces: bool,
) -> None:
    """Compute the FK tables of theory CARDs (numbers in nnpdf-data, or YAML files) from nnpdf-data's kinematics.

    A build that was stopped continues when the same command is given again.  Needs the extra `theory`.
    """
    end_on_signals()
    from hyperparton.theory.build import build
    from hyperparton.theory.card import read_card
    from hyperparton.theory.plan import KinematicLimits

    wanted = datasets or ("all",)
    workers = jobs or cores()
    checked = [read_card(card) for card in cards]  # so that a fault in the last card shows before the first is built
    for card in checked:
        click.echo(f"theory {card.theoryid}: {card.raw['FNS']}, {counted(workers, 'process', 'processes')}")
        folder = build(
            card.path,
            wanted,
            output,
            limits=KinematicLimits(q2min, w2min),
            workers=workers,
            keep_pieces=keep_pieces,
            report=lambda progress: click.echo(str(progress)),
        )
        click.echo(f"done: {folder}")


@theory.command("check")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@_datasets_option
@click.option(
    "--direct",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Compare N rows of every DIS table with plain yadism and eko (hours of CPU time for all; needs the extra).",
)
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), default=None, help="Processes for --direct.  [default: all cores]"
)
@click.option(
    "--pieces",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder to keep what --direct computes, so that it goes on where it was stopped.  [default: none is kept]",
)
@click.pass_context
def check_command(
    ctx: click.Context, folder: Path, datasets: tuple[str, ...], direct: int, jobs: int | None, pieces: Path | None
) -> None:
    """Check the tables in DIR, a theory or a folder that holds some; exit code 1 if something is wrong.

    Every table must load, fit the kinematics of its data set and have the checksum of the manifest.  The χ² of the PDF
    set that ships is shown for every measured data set.
    """
    from hyperparton.theory.check import check_theory
    from hyperparton.theory.listing import theory_folders
    from hyperparton.theory.plan import expand_datasets

    end_on_signals()
    wrong = False
    for path in theory_folders(folder):
        report = check_theory(path, expand_datasets(datasets) if datasets else None)
        _show(report)
        wrong |= bool(report.faults)
        if direct:
            with tempfile.TemporaryDirectory() as temporary:
                wrong |= _show_direct(path, datasets, direct, pieces or Path(temporary), jobs)
    if wrong:
        ctx.exit(1)


def _show(report) -> None:
    for note in report.notes:
        click.echo(note)
    for table in report.tables:
        if not table.faults:
            click.echo(f"{table.name}: {counted(table.rows, 'row')}, {table.computed} computed")
    if report.chi2:
        click.echo("χ² per point of the PDF set that ships (t0 and experimental covariance matrix):")
        for each in report.chi2:
            click.echo(
                f"  {each.dataset}: {counted(each.points, 'point')}, {each.chi2:.3f}, {each.chi2_experimental:.3f}"
            )
    for fault in report.faults:
        click.echo(f"fault: {fault}")
    click.echo(f"{report.path}: {counted(len(report.tables), 'table')}, {counted(len(report.faults), 'fault')}")


def _show_direct(path: Path, datasets: tuple[str, ...], each: int, pieces: Path, jobs: int | None) -> bool:
    """Compare `each` rows per table with direct computations; True if one differs by more than 2e-3."""
    from hyperparton.theory.check import compare_directly
    from hyperparton.theory.direct import sample_rows
    from hyperparton.theory.listing import datasets_of_tables
    from hyperparton.theory.plan import KinematicLimits, expand_datasets, plan_tables

    tables_of = datasets_of_tables()
    wanted = {table for name in expand_datasets(datasets or ("all",)) for table in tables_of.get(name, ())}
    wanted &= {file.name.partition(".")[0] for file in (path / "fastkernel").iterdir()}
    # all tables together settle which rows are taken, so that the rows do not depend on which tables are wanted
    every_table = plan_tables(expand_datasets(["all"]), KinematicLimits())
    rows = [row for row in sample_rows(every_table, each) if row.table in wanted]
    far = False
    for compared in compare_directly(path, rows, pieces, jobs or cores(), lambda done: click.echo(str(done), err=True)):
        verdict = "" if abs(compared.difference) <= 2e-3 else "  more than 2e-3"
        far |= bool(verdict)
        click.echo(
            f"{compared.table} row {compared.row} (Q² = {compared.q2:g} GeV², x = {compared.x:g}): "
            f"{compared.from_table:.6g}, directly {compared.direct:.6g}, difference {compared.difference:+.1e}{verdict}"
        )
    return far
