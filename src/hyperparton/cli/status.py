"""`hyperparton status`: how a scan is doing, once or for as long as it runs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from hyperparton.cli.progress import duration

__all__ = ["status", "status_lines"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--follow", "-f", is_flag=True, help="Until the scan is done or nobody works on it any more.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--trials", type=click.IntRange(min=1), help="Trials in total, where the scan does not say.")
def status(directory: Path, follow: bool, interval: float, trials: int | None) -> None:
    """Show how the scan in DIR is doing: done, running, failed, best so far, rate, time left. It is only read."""
    from hyperparton.report.status import status_of

    if not follow:
        click.echo("\n".join(status_lines(status_of(directory, time.time(), trials), time.time())))
    elif sys.stdout.isatty():
        _follow_on_terminal(directory, interval, trials)
    else:
        _follow_in_lines(directory, interval, trials)


def status_lines(now_known: Any, now: float) -> list[str]:
    """The status in a few lines."""
    from hyperparton.report.hyperparameters import describe_values

    at, total = now_known, now_known.total
    of = f" of {total}" if total is not None else ""
    place = f"at work: {at.at_work}" if at.at_work else ("all done" if at.complete else "nobody is at work on it")
    stopped = f", {at.pruned} pruned" if at.pruned else ""
    lines = [f"{at.name}: {at.finished}{of} trials done, {at.failed} failed{stopped}; {place}"]
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
        lines.append(f"best: loss {at.best.loss:.4f}, trial {at.best.number}: {describe_values(at.best)}")
    if at.seconds_per_trial is not None:
        left = f"; left: about {duration(at.left)}" if at.left and not at.complete else ""
        lines.append(f"rate: {duration(at.seconds_per_trial)} a trial, {max(len(at.running), 1)} at a time{left}")
    if at.latest_failure is not None:
        lines.append(f"last failure: trial {at.latest_failure.number}: {_line(at.latest_failure.reason)}")
    return [*lines, *at.notes]


def _line(text: str | None) -> str:
    line = " ".join((text or "unknown").split())
    return line if len(line) <= 150 else line[:147] + "..."


def _ended(at: Any) -> bool:
    return at.complete or at.at_work is None


def _follow_in_lines(directory: Path, interval: float, trials: int | None) -> None:
    """A line whenever a trial has finished, for logs and pipes."""
    from hyperparton.report.status import status_of

    seen = None
    while True:
        at = status_of(directory, time.time(), trials)
        if at.finished != seen:
            seen = at.finished
            of = f" of {at.total}" if at.total is not None else ""
            best = "none yet" if at.best is None else f"{at.best.loss:.4f} (trial {at.best.number})"
            left = "" if at.left is None else f", left about {duration(at.left)}"
            click.echo(f"{at.finished}{of} done, {at.failed} failed, {len(at.running)} running, best {best}{left}")
            sys.stdout.flush()
        if _ended(at):
            click.echo("\n".join(status_lines(at, time.time())))
            return
        time.sleep(interval)


def _follow_on_terminal(directory: Path, interval: float, trials: int | None) -> None:
    from rich.live import Live

    from hyperparton.report.status import signature, status_of

    seen, at = "", status_of(directory, time.time(), trials)
    with Live(_screen(at), refresh_per_second=4, transient=False) as live:
        while not _ended(at):
            time.sleep(interval)
            now_there = signature(directory)
            if now_there != seen or at.running:
                seen, at = now_there, status_of(directory, time.time(), trials)
            live.update(_screen(at), refresh=True)


def _screen(at: Any) -> Any:
    """The status for a terminal: the lines and a bar; a bar ends without a new line, so it comes last."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    bar = [ProgressBar(total=at.total, completed=at.finished)] if at.total else []
    return Group(*(Text(line) for line in status_lines(at, time.time())), *bar)
