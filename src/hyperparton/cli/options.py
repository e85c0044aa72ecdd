"""Options that several commands have, and options with units: times and sizes of memory."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click

__all__ = [
    "DURATION",
    "DURATION_OR_NONE",
    "MEMORY",
    "REPLICAS",
    "OptionOf",
    "log_json_option",
    "replicas_option",
    "runcard_argument",
    "store_option",
    "store_timeout_option",
    "store_url",
    "theory_options",
]


class OptionOf(click.Option):
    """An option that sets a field of a class, ``module:class.field``; its help shows the default that stands there.

    The command gets None where the option is not given: the class is loaded for the help alone.
    """

    def __init__(self, *names: Any, field: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self._field = field

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        # of a copy: the command itself still gets None where the option is not given
        shown = copy.copy(self)
        shown.default, shown.show_default = resolve_name(self._field), True
        return super(OptionOf, shown).get_help_record(ctx)


runcard_argument = click.argument("runcard", type=click.Path(path_type=Path))

replicas_option = click.option(
    "--replicas", type=click.IntRange(min=1), default=1, show_default=True, help="Replicas fitted at once."
)


def store_url(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    """The URL of --store; its password is asked for where it lacks one and somebody can answer."""
    if text is None:
        return None
    from hyperparton.errors import StoreError
    from hyperparton.trials.store_url import PASSWORD_VARIABLE, SECRETS_VARIABLE, StoreURL

    try:
        url = StoreURL.parse(text)
    except StoreError as fault:
        raise click.BadParameter(str(fault)) from None
    if url.secret_options:
        keys = ", ".join(key for key, _ in url.secret_options)
        where = f"better put it into the variable {SECRETS_VARIABLE}"
        click.echo(f"warning: everyone on this machine can see {keys} in --store; {where}", err=True)
    if url.password:
        how = f"put it into the variable {PASSWORD_VARIABLE}"
        how += " or into ~/.pgpass" if url.scheme == "postgresql" else ""
        click.echo(f"warning: everyone on this machine can see the password in --store; better {how}", err=True)
    if url.lacks_password and sys.stdin is not None and sys.stdin.isatty():
        password = click.prompt(f"Password for {url}", default="", show_default=False, hide_input=True, err=True)
        url = url.with_password(password)
    return url


store_option = click.option(
    "--store",
    metavar="URL",
    callback=store_url,
    help="The database that the scan joined: it may be further than DIR, and is only read.",
)


def theory_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--theory DIR` and `--t0pdfset NAME`."""
    command = click.option(
        "--t0pdfset", metavar="NAME", help="PDF set for the t0 covariance matrix, in place of the runcard's."
    )(command)
    return click.option(
        "--theory",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of FK tables: a theory, or one that holds theory_<id>. Goes before HYPERPARTON_THEORY.",
    )(command)


_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class _Duration(click.ParamType):
    name = "TIME"

    def __init__(self, or_none: bool = False) -> None:
        self._or_none = or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)?", value.strip()):
            seconds = float(match[1]) * _SECONDS[match[2] or "s"]
        elif match := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?", value.strip()):
            # as SLURM has it: minutes:seconds, hours:minutes:seconds, days-hours:minutes(:seconds)
            days, first, second, third = (int(part or 0) for part in match.groups())
            long = match[1] is not None or match[4] is not None
            seconds = days * 86400 + (first * 3600 + second * 60 + third if long else first * 60 + second)
        else:
            self.fail(f"{value!r} is no time; accepted: 90, 90s, 5min, 2h, 1d, 30:00, 2:00:00, 1-12:00:00", param, ctx)
        if seconds <= 0 and not self._or_none:
            self.fail(f"{value!r} must be above 0", param, ctx)
        return seconds


class _Memory(click.ParamType):
    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        size = int(float(match[1]) * _BYTES[match[2].upper()]) if match else 0
        if size <= 0:
            self.fail(f"{value!r} is no size; accepted: 800M, 4G, 4GiB (K, M, G and T are powers of 1024)", param, ctx)
        return size


class _Replicas(click.ParamType):
    name = "R|A-B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        if isinstance(value, range):
            return value
        match = re.fullmatch(r"(?:([0-9]{1,6})-)?([0-9]{1,6})", str(value).strip())
        numbers = range(int(match[1] or 1), int(match[2]) + 1) if match else range(0)
        if not numbers or numbers[0] < 1:
            self.fail(f"{value!r} is neither a number of replicas, such as 10, nor a range, such as 16-20", param, ctx)
        return numbers


DURATION, DURATION_OR_NONE, MEMORY, REPLICAS = _Duration(), _Duration(or_none=True), _Memory(), _Replicas()

log_json_option = click.option(
    "--log-json", type=click.Path(path_type=Path), metavar="FILE", help="Add each event to FILE as a line of JSON."
)

store_timeout_option = click.option(
    "--store-timeout",
    cls=OptionOf,
    field="hyperparton.scan.settings:Execution.store_timeout",
    type=DURATION_OR_NONE,
    help="How long a --store that does not answer any more is waited for; 0 is not at all.",
)
