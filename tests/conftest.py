"""Servers that several parts of the suite use, started once when the first test asks for one."""

import runpy
import signal
from pathlib import Path

import pytest

# a shell starts what it puts into the background with SIGINT ignored, and so would what the tests start and interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Real database servers, see benchmarks/servers.py; a test that cannot have its server fails."""
    script = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "servers.py"))
    with script["Servers"](tmp_path_factory.mktemp("servers")) as running:
        yield running
