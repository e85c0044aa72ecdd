"""Servers that several parts of the suite use, started once when the first test asks for one."""

import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Real database servers, see benchmarks/servers.py; a test that cannot have its server fails."""
    script = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "servers.py"))
    with script["Servers"](tmp_path_factory.mktemp("servers")) as running:
        yield running
