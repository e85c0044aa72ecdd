"""Running the command line in this process, as the console script does."""

import sys

import pytest


@pytest.fixture
def hyperparton(monkeypatch, capsys):
    """A function that runs `hyperparton ARGUMENTS` and gives (exit code, standard output, standard error)."""
    from hyperparton.cli import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hyperparton", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        out, err = capsys.readouterr()
        return code, out, err

    return run
