"""`hyperparton fit`: one fit with a runcard's parameters, or with the best of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hyperparton import host
from hyperparton.cli.clock import Clock
from hyperparton.cli.fit_files import expect_card, write_fit
from hyperparton.cli.options import REPLICAS, runcard_argument, theory_options
from hyperparton.cli.progress import make_display
from hyperparton.runcard.card import Runcard
from hyperparton.workflow.cards import check_card, data_summary, notices, output_folder

if TYPE_CHECKING:
    from hyperparton.fit.mixed import MixedFit

__all__ = ["fit"]


@click.command()
@runcard_argument
@click.option("--replicas", type=REPLICAS, help="Replicas 1 to R, or A to B, fitted at once. Default: 1.")
@click.option(
    "--replica", type=click.IntRange(min=1), metavar="N", help="Replica N alone, as a cluster's jobs have it."
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take the parameters of this scan's best trial, or of several, as trial_specs asks for them.",
)
@click.option(
    "--top", type=click.IntRange(min=1), metavar="K", help="With a scan: the replicas share its best K trials."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Default: the runcard's stem.")
@click.option(
    "--load",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Start each replica from these weights, a file that n3fit or --save wrote.",
)
@click.option("--save", metavar="NAME", help="Write weights as n3fit does, nnfit/replica_<n>/NAME.weights.h5.")
@click.option("--no-training", is_flag=True, help="With --load: show the χ² of these weights, fit and write nothing.")
@theory_options
def fit(
    runcard: Path,
    replicas: range | None,
    replica: int | None,
    source: Path | None,
    top: int | None,
    output: Path | None,
    load: Path | None,
    save: str | None,
    no_training: bool,
    theory: Path | None,
    t0pdfset: str | None,
) -> None:
    """Fit all the data of RUNCARD with its parameters, the replicas that are asked for at once.

    What a replica becomes depends on its number, and on the others of the call but by rounding. Its PDF is exported
    too, nnfit/replica_<n>/<name>.exportgrid, for evolven3fit.
    """
    if no_training and save is not None:
        raise click.UsageError("--no-training leaves nothing to --save")
    if save is not None and Path(save).name != save:
        raise click.UsageError(f"--save is given a name, not a path; given {save!r}")
    if replicas is not None and replica is not None:
        raise click.UsageError("--replica is one of the replicas, --replicas are several: one of the two")
    numbers = range(replica, replica + 1) if replica is not None else replicas or range(1, 2)
    own = {"theory": theory, "t0pdfset": t0pdfset, "source": source, "top": top, "load": load is not None}
    checked = check_card(runcard, "fit", numbers=numbers, **own)
    card, data, chosen = checked.card, checked.data, checked.methodologies
    if top is not None and source is None and isinstance(card, Runcard) and card.trial_specs is None:
        raise click.UsageError("--top needs a scan: --from DIR, or trial_specs in the card")
    assert isinstance(card, Runcard)
    assert data is not None
    assert chosen is not None
    folder = output_folder(card, output)
    if not no_training:
        expect_card(folder, card, numbers)
    clock = Clock()
    with host.at_most(card.maxcores), make_display() as display:
        from hyperparton.fit.mixed import fit_mixed
        from hyperparton.interop.start_weights import start_weights

        for line in (*notices(checked), *chosen.notes, *data_summary(data)):
            display.say(line)
        start = start_weights(card, load)
        if no_training and start is None:
            raise click.UsageError("--no-training needs weights: --load FILE, or load in the card")
        clock.register("replica_set")
        result = fit_mixed(card, data, chosen.parameters, display.epochs, start=start, training=not no_training)
        clock.register("replica_fitted", since="replica_set")
    if no_training:
        _show_exactly(result)
        return
    written = chosen.written if source is not None or card.trial_specs is not None else None
    write_fit(folder, card, data, result, written, clock.times(), save or card.save)
    _show(result)
    click.echo(f"written to {folder / 'nnfit'}")


def _show_exactly(result: MixedFit) -> None:
    """χ² per point with the digits that a comparison with another program needs."""
    click.echo("replica        chi2    training  validation")
    for i, number in enumerate(result.replicas):
        chi2 = (result.experimental_chi2[i], result.training_chi2[i], result.validation_chi2[i])
        click.echo(f"{number:7d} " + " ".join(f"{value:11.7g}" for value in chi2))


def _show(result: MixedFit) -> None:
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
