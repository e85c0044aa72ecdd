"""Scripts with a command for each thing that they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

__all__ = ["run_command"]

#: given a command's parser, adds its arguments
AddArguments = Callable[[argparse.ArgumentParser], object]


def run_command(description: str | None, commands: Mapping[Callable[..., object], AddArguments]) -> None:
    """Run the function whose name the command line gives, with its arguments by their names."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = parser.add_subparsers(required=True)
    for function, add_arguments in commands.items():
        command = choices.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(run=function)
        add_arguments(command)
    arguments = vars(parser.parse_args())
    arguments.pop("run")(**arguments)
