"""`hyperparton scan`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hyperparton.cli.progress import Display, EventLog, make_display, show_warnings
from hyperparton.cli.signals import end_on_sigterm
from hyperparton.cli.units import DURATION, MEMORY
from hyperparton.errors import RuncardError
from hyperparton.runcard import N3FIT, Runcard, TrainerRuncard
from hyperparton.space import readable
from hyperparton.workflow.cards import checked_card, output_folder, replicas_option, runcard_argument, theory_options
from hyperparton.workflow.recipe import card_recipe, make_n3fit_trainer, pdf_trainer

__all__ = ["scan"]

#: n3fit's own seed of a scan
_SEED = 42

#: keys of a card that change neither space nor fits
_NOT_PHYSICS = frozenset({"description", "meta", "hyperscan_config"})


@click.command()
@runcard_argument
@click.option(
    "--trials", type=click.IntRange(min=1), required=True, help="Trials in total, those done before included."
)
@replicas_option
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Default: the runcard's stem.")
@click.option(
    "--engine",
    metavar="NAME",
    callback=lambda context, option, name: _known_engine(name),
    default="gp",
    show_default=True,
    help="gp, hyperopt, optuna, optuna:cmaes or random; NAME+sobol starts with a Sobol sequence.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=_SEED, show_default=True, help="Seed of the scan.")
@click.option(
    "--log-json", type=click.Path(path_type=Path), metavar="FILE", help="Add each event to FILE as a line of JSON."
)
@click.option("--verbose", "-v", is_flag=True, help="Tell the parameters of each trial too.")
@click.option("--workers", "-w", type=click.IntRange(min=1), metavar="W", help="Trials at once, in processes here.")
@click.option(
    "--batch-trials",
    type=click.IntRange(min=1),
    metavar="B",
    default=1,
    show_default=True,
    help="Trials that are trained together, by each worker: for an accelerator, or small fits.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Run the trials on the Dask cluster whose scheduler is there.")
@click.option(
    "--store",
    metavar="URL",
    help="Join the scan in a database: postgresql://…, mongodb://… or sqlite:///FILE. Any number of processes may.",
)
@click.option(
    "--lag",
    type=click.IntRange(min=1),
    help="Suggest trial n from the trials up to n - LAG. Default: the trials at once; at least 16 with --store.",
)
@click.option(
    "--prune/--no-prune",
    default=None,
    help="Stop trials that cannot become one of the best. Default: hyperscan_config.prune, else not.",
)
@click.option(
    "--from",
    "sources",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Trials of an earlier scan that the engine learns from; may be given again. Default: use_tries_from.",
)
@click.option("--target-loss", type=float, metavar="L", help="End when the best loss is at most L, with exit code 0.")
@click.option("--patience", type=click.IntRange(min=1), metavar="K", help="End after K trials without a better loss.")
@click.option("--max-time", type=DURATION, help="End when the scan has worked so long, earlier starts included.")
@click.option(
    "--min-improvement",
    type=click.FloatRange(min=0, min_open=True),
    metavar="D",
    help="End when the engine expects to improve the loss by less than D; for engines that can tell.",
)
@click.option("--trial-timeout", type=DURATION, help="A trial that takes longer fails and its process is ended.")
@click.option("--worker-memory", type=MEMORY, help="A trial whose process holds more fails and its process is ended.")
@click.option("--max-consecutive-failures", type=click.IntRange(min=1), metavar="K", help="End after K in a row.")
@click.option("--trainer", type=click.Choice([N3FIT]), help="Whose fits, in place of the card's own `trainer`.")
@click.option("--walltime", type=DURATION, help="End in time, with exit code 4, and hand back what is running.")
@theory_options
def scan(
    runcard: Path,
    trials: int,
    replicas: int,
    output: Path | None,
    engine: str,
    seed: int,
    log_json: Path | None,
    verbose: bool,
    theory: Path | None,
    t0pdfset: str | None,
    workers: int | None,
    batch_trials: int,
    scheduler: str | None,
    store: str | None,
    lag: int | None,
    prune: bool | None,
    sources: tuple[Path, ...],
    trainer: str | None,
    **limits: Any,
) -> None:
    """Scan the hyperparameters of RUNCARD. Run again on the same output, it continues to N trials in total."""
    card, scanner = checked_card(runcard, trainer)
    if scanner is None:
        raise RuncardError([card.fault((), "a scan needs hyperscan_config")])
    if isinstance(card, Runcard) and card.kfold is None:
        raise RuncardError([card.fault((), "a scan needs kfold with partitions")])
    end_on_sigterm()
    asked = {"engine": engine, "seed": seed, "workers": workers, "scheduler": scheduler, "store": store, "lag": lag}
    asked |= {"prune": scanner.prune if prune is None else prune, "prior": [str(path) for path in sources]}
    asked |= {"batch_trials": batch_trials}
    apart = workers is not None or scheduler is not None or bool(limits["trial_timeout"] or limits["worker_memory"])
    with make_display(verbose) as display, EventLog(log_json) as log:
        show_warnings(display, verbose)
        for line in _notices(card, scanner):
            display.say(line)
        folder = output_folder(card, output)
        if isinstance(card, Runcard):
            made, metadata = _pdf_trainer(card, replicas, theory, t0pdfset, display, apart, folder)
        elif card.trainer == N3FIT:
            _refuse_for_n3fit(theory, t0pdfset)
            made, metadata = _n3fit_trainer(card, replicas, apart, folder)
        else:
            made, metadata = _own_trainer(card, apart, folder)
        settings = {**asked, "ending": _ending(limits), "limits": _limits(limits)}
        best = _run(folder, card, made, scanner, trials, metadata, settings, display, log)
    _conclude(folder, best)


def _known_engine(name: str) -> str:
    from hyperparton.engines import check_engine
    from hyperparton.errors import EngineError

    try:
        check_engine(name)
    except EngineError as fault:
        raise click.BadParameter(str(fault)) from None
    return name


def _ending(given: dict[str, Any]) -> Any:
    """What ends the scan early, taken out of the options."""
    from hyperparton.scan import Ending

    return Ending(**{name: given.pop(name) for name in ("target_loss", "patience", "max_time", "min_improvement")})


def _limits(given: dict[str, Any]) -> Any:
    """The limits; the walltime counts from the start of the process."""
    from hyperparton.host import seconds_since_start
    from hyperparton.scan import Limits

    if given["walltime"] is not None:
        given["walltime"] = max(given["walltime"] - seconds_since_start(), 1e-3)
    return Limits(**given)


def _notices(card: Runcard | TrainerRuncard, scanner: Any) -> list[str]:
    lines = []
    if card.unused:
        lines.append(f"not used by hyperparton: {', '.join(card.unused)}")
    if scanner.parallel_hyperopt:
        url = f"mongodb://{scanner.db_host}:{scanner.db_port}/{scanner.db_name}"
        lines.append(f"hyperscan_config.parallel: not used; trials run at once with --workers W or --store {url}")
    return lines


def _pdf_trainer(
    card: Runcard,
    replicas: int,
    theory: Path | None,
    t0pdfset: str | None,
    display: Display,
    apart: bool,
    folder: Path,
) -> tuple[Any, dict[str, Any]]:
    """The trainer, or its recipe if the trials run apart from this process, and what tells the scan from others."""
    from hyperparton.data import load_fit_data
    from hyperparton.data.theory_folder import tables_digest

    data = load_fit_data(card, theory, t0pdfset)
    source = data.theory
    display.say(f"theory {source.theoryid}: {source.origin}, {source.path}")
    display.say(f"{data.ndata} points in {len(data.datasets)} data sets, t0 set {data.t0pdfset or 'none'}")
    assert card.kfold is not None
    display.say(f"{len(card.kfold.partitions)} folds x {replicas} replicas per trial")
    if apart:
        trainer = card_recipe(card, replicas, theory, t0pdfset, folder)
    else:
        trainer = pdf_trainer(card, data, replicas, display.epochs)
    tables = tables_digest(data)
    return trainer, {**_identity(card), "replicas": replicas, "t0pdfset": data.t0pdfset, "FK tables": tables}


def _identity(card: Runcard | TrainerRuncard) -> dict[str, Any]:
    """What must be the same when a scan is continued; the search space is compared by itself."""
    left_out = _NOT_PHYSICS | set(card.unused)
    return {f"runcard: {key}": readable(value) for key, value in card.raw.items() if key not in left_out}


def _refuse_for_n3fit(theory: Path | None, t0pdfset: str | None) -> None:
    if theory is not None or t0pdfset is not None:
        raise click.UsageError(
            "trainer n3fit finds theories by its own profile (NNPDF_PROFILE_PATH) and its t0 set by the card: "
            "--theory and --t0pdfset are not for it"
        )


def _n3fit_trainer(card: TrainerRuncard, replicas: int, apart: bool, folder: Path) -> tuple[Any, dict[str, Any]]:
    metadata = {**_identity(card), "runcard: trainer": N3FIT, "replicas": replicas}
    if apart:
        return card_recipe(card, replicas, None, None, folder), metadata
    return make_n3fit_trainer(card, replicas, folder), metadata


def _own_trainer(card: TrainerRuncard, apart: bool, folder: Path) -> tuple[Any, dict[str, Any]]:
    from hyperparton.scan import load_trainer

    if apart:
        return card_recipe(card, 1, None, None, folder), _identity(card)
    trainer = load_trainer(card.trainer, card.raw, Path(card.path).resolve().parent)
    return trainer, _identity(card)


def _run(
    folder: Path,
    card: Any,
    trainer: Any,
    scanner: Any,
    trials: int,
    metadata: dict[str, Any],
    settings: dict[str, Any],
    display: Display,
    log: EventLog,
) -> dict[str, Any]:
    from hyperparton.scan import hyper_scan_wrapper
    from hyperparton.trials.scan_folder import ScanFolder

    layout = ScanFolder(folder)
    packages = ("nnpdf",) if isinstance(card, TrainerRuncard) and card.trainer == N3FIT else ()
    kept = {**metadata, "notes": {"runcard": card.text, "versions": _versions(*packages)}}
    begun: list[bool] = []

    def progress(event: dict[str, Any]) -> None:
        # the folder is this scan's once a trial starts: until then nothing in it is touched
        if not begun:
            layout.write_runcard(card.text)
            layout.write_progress(trials, settings["store"])
            begun.append(True)
        display.scan(event)
        log.write(event)

    return hyper_scan_wrapper(layout.replica, trainer, scanner, trials, progress=progress, metadata=kept, **settings)


def _versions(*more: str) -> dict[str, str]:
    from importlib.metadata import version

    names = ("hyperparton", "jax", "numpy", "nnpdf-data", "pineappl", "hyperopt", "optuna", *more)
    return {name: version(name) for name in names}


def _conclude(folder: Path, best: dict[str, Any]) -> None:
    from hyperparton.cli.best import parameters_block, table
    from hyperparton.trials import read_tries
    from hyperparton.trials.scan_folder import ScanFolder

    def numbers_and_parameters(entry: dict[str, Any]) -> dict[str, Any]:
        result = {key: value for key, value in entry["result"].items() if not isinstance(value, dict | list)}
        result["pruned"] = bool(entry["result"].get("pruned"))
        return {"tid": entry.get("tid"), "result": result, "misc": {"space_vals": entry["misc"].get("space_vals")}}

    click.echo(table(read_tries(ScanFolder(folder).tries, keep=numbers_and_parameters), top=1))
    click.echo("the best trial's parameters, to paste into a runcard:\n")
    click.echo(parameters_block(best))
    click.echo(f"trials: {ScanFolder(folder).tries}")
