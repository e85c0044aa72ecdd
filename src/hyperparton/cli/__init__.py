"""The command line. Each command is a module of its own, loaded when it is called for.

Exit codes: 0 done, 1 an error with a message, 2 wrong usage, 3 a scan in which no trial succeeded or whose trainer
cannot be built, 4 a scan whose walltime is over, 5 a scan ended by --max-consecutive-failures, 6 a scan that this
machine cannot run (JAX does not start, data or theory are not here, no room on the disk), 130 interrupted, 143
terminated by SIGTERM. Code 1 is also that of a command whose output or log could not be written. After 4, 5, 6, 130 and
143 the trials that ran were released, and the same command continues.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from hyperparton.cli.streams import exit_code
from hyperparton.errors import (
    HyperpartonError,
    NodeError,
    OutputError,
    ScanError,
    TooManyFailuresError,
    WalltimeError,
    printable,
)
from hyperparton.streams import guard_streams

__all__ = ["main"]

#: errors with exit codes of their own, those of a subclass first
_EXIT_CODES = ((TooManyFailuresError, 5), (NodeError, 6), (ScanError, 3))

#: command -> (module, its line in the help)
_COMMANDS = {
    "init": ("init", "Write a card and a README to start from."),
    "scan": ("scan", "Scan the hyperparameters of a runcard; run again, it continues."),
    "confirm": ("confirm", "Fit the best trials of a scan again, and name the best of them."),
    "check": ("check", "Show every fault of a runcard at once."),
    "best": ("best", "Show the best trials and their parameters."),
    "status": ("status", "Show how a scan is doing."),
    "dashboard": ("dashboard", "Serve a scan's report on this machine while it runs."),
    "report": ("report", "Write a page on a scan, with its figures and tables."),
    "export": ("export", "Write the trials as a study for Optuna's tools."),
    "fit": ("fit", "One fit, with a runcard's parameters or a scan's best."),
    "theory": ("theory", "List, build and check FK tables."),
}


class _Lazy(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"hyperparton.cli.{_COMMANDS[cmd_name][0]}")
        return getattr(module, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and args[0] not in _COMMANDS:
            from hyperparton.errors import nearest

            accepted = ", ".join(_COMMANDS)
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], _COMMANDS)}, accepted: {accepted}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hyperparton")
def group() -> None:
    """Find the hyperparameters of neural-network fits, first of all of parton distribution functions."""


def main() -> None:
    """The entry point: errors of hyperparton become one message and an exit code, never a traceback."""
    guard_streams()
    sys.exit(exit_code(_run()))


def _run() -> int:
    """The exit code of the command that the arguments ask for; errors are told."""
    try:
        return group.main(standalone_mode=False) or 0  # the code of click's Exit; commands give nothing
    except click.exceptions.Abort:  # what click makes of a KeyboardInterrupt
        click.echo("interrupted; the same command continues a scan", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except WalltimeError as error:  # no fault: the scan goes on another time
        click.echo(str(error), err=True)
        return 4
    except OutputError:  # `exit_code` tells it
        return 1
    except HyperpartonError as error:
        if error.faults:  # lines that begin with file:line:column, for editors
            from hyperparton.cli.faults import fault_lines

            text = "\n".join(fault_lines(error.faults))
        else:
            text = f"error: {error}"
        click.echo(printable(text, keep="\n\t"), err=True)
        return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)
