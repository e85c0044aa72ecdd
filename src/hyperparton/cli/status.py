"""`hyperparton status`: how a scan is doing, once or for as long as it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hyperparton.cli.options import store_option
from hyperparton.cli.progress import brief
from hyperparton.cli.streams import check_output
from hyperparton.text import counted, duration

if TYPE_CHECKING:
    from hyperparton.report.status import Status
    from hyperparton.trials.store_url import StoreURL

__all__ = ["status", "status_lines"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--follow", "-f", is_flag=True, help="Until the scan is done or nobody works on it any more.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--trials", type=click.IntRange(min=1), help="Trials in total, where the scan does not say.")
@store_option
def status(directory: Path, follow: bool, interval: float, trials: int | None, store: StoreURL | None) -> None:
    """Show how the scan in DIR is doing: done, running, failed, best so far, rate, time left. It is only read."""
    from hyperparton.report.status import status_of

    if not follow:
        click.echo("\n".join(status_lines(status_of(directory, time.time(), trials, store), time.time())))
    elif sys.stdout.isatty():
        _follow_on_terminal(_statuses(directory, interval, trials, store))
    else:
        _follow_in_lines(_statuses(directory, interval, trials, store))


def status_lines(at: Status, now: float) -> list[str]:
    """The status in a few lines."""
    from hyperparton.report.hyperparameters import describe_values

    done = counted(at.finished, "trial") if at.total is None else f"{at.finished} of {counted(at.total, 'trial')}"
    unsure = f", as far as can be seen from here ({at.last_at_work})" if at.last_at_work else ""
    place = f"at work: {at.at_work}" if at.at_work else f"nobody is at work on it{unsure}"
    if at.complete:  # the scan may still be ending
        place = "all done"
    stopped = f", {at.pruned} pruned" if at.pruned else ""
    lines = [f"{at.name}: {done} done, {at.failed} failed{stopped}; {place}"]
    if at.running:
        running = (
            f"trial {trial.number} for {duration(max(now - (trial.begin or now), 0.0))}" for trial in at.running[:6]
        )
        more = f" and {len(at.running) - 6} more" if len(at.running) > 6 else ""
        lines.append(f"running: {', '.join(running)}{more}")
    if at.waiting:
        lines.append(f"waiting to run again: {at.waiting}")
    if at.best is None:
        lines.append("best: none yet")
    else:
        lines.append(f"best: loss {brief(at.best.loss)}, trial {at.best.number}: {describe_values(at.best)}")
    if at.seconds_per_trial is not None:
        left = f"; left: about {duration(at.left)}" if at.left and not at.complete else ""
        lines.append(f"rate: {duration(at.seconds_per_trial)} a trial, {max(len(at.running), 1)} at a time{left}")
    if at.latest_failure is not None:
        lines.append(f"last failure: trial {at.latest_failure.number}: {_line(at.latest_failure.reason)}")
    return [*lines, *at.notes]


def _line(text: str | None) -> str:
    line = " ".join((text or "unknown").split())
    return line if len(line) <= 150 else line[:147] + "..."


def _statuses(directory: Path, interval: float, trials: int | None, store: StoreURL | None) -> Iterator[Status]:
    """The status time and again, read anew where anything changed, until the scan ends."""
    from hyperparton.report.status import signature, status_of

    seen, at, left = "", None, False
    while True:
        # twice a minute it is read in any case: a process that was killed has changed no file
        present = f"{signature(directory, store)} {time.monotonic() // 30}"
        if at is None or present != seen or at.running or left:
            seen, at = present, status_of(directory, time.time(), trials, store)
        yield at
        # who had left when we looked may have finished trials since we read them: so they are read once more
        if at.complete or (left and at.at_work is None):
            return
        left = at.at_work is None
        if not left:
            time.sleep(interval)


def _follow_in_lines(statuses: Iterable[Status]) -> None:
    """A line whenever a trial has finished, for logs and pipes."""
    seen = at = None
    for at in statuses:
        if at.finished != seen:
            seen = at.finished
            of = f" of {at.total}" if at.total is not None else ""
            best = "none yet" if at.best is None else f"{brief(at.best.loss)} (trial {at.best.number})"
            left = "" if at.left is None else f", left about {duration(at.left)}"
            click.echo(f"{at.finished}{of} done, {at.failed} failed, {len(at.running)} running, best {best}{left}")
            check_output()
    if at is not None:
        click.echo("\n".join(status_lines(at, time.time())))


def _follow_on_terminal(statuses: Iterable[Status]) -> None:
    from rich.live import Live

    with Live(refresh_per_second=4, transient=False) as live:
        for at in statuses:
            live.update(_screen(at), refresh=True)


def _screen(at: Status) -> Any:
    """The status for a terminal: the lines and a bar; a bar ends without a new line, so it comes last."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    bar = [ProgressBar(total=at.total, completed=at.finished)] if at.total else []
    return Group(*(Text(line) for line in status_lines(at, time.time())), *bar)
