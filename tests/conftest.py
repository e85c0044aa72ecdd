"""Which tests may be skipped, the servers that several parts of the suite use, and what holds for all processes."""

import os
import runpy
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

#: marker -> the package that its tests need, and what runs them where that package is
NEEDED = {"theory": ("yadism", "make test-theory"), "n3fit": ("n3fit", "make test-oracle")}

#: tests that `--no-skips` lets be skipped, and why
MAY_BE_SKIPPED = {
    "test_a_genuine_mongod_takes_part": "mongod is in neither the package index nor Debian",
    "test_torch": "PyTorch takes gigabytes",
}

# Matrices of the tests are small: threads of OpenBLAS wait for each other for longer than they compute. It reads this
# as numpy is imported, which is later than this file; processes that the tests start inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # how long an example takes depends on what else the machine does
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")

# a shell starts what it puts into the background with SIGINT ignored, and so would what the tests start and interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: what the process of the tests does with signals
HANDLERS = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}


@pytest.fixture(autouse=True)
def _own_signal_handlers():
    """A command that runs in the process of the tests, or in a fixture of a module, leaves its handlers to no test."""
    for each, handler in HANDLERS.items():
        signal.signal(each, handler)
    yield
    for each, handler in HANDLERS.items():
        signal.signal(each, handler)


def pytest_addoption(parser):
    reason = f"A skipped test is a failure, but for {', '.join(MAY_BE_SKIPPED)}."
    parser.addoption("--no-skips", action="store_true", help=reason)


def pytest_collection_modifyitems(items):
    for item in items:
        for marker, (package, command) in NEEDED.items():
            if item.get_closest_marker(marker) and find_spec(package) is None:
                item.add_marker(pytest.mark.skip(reason=f"NOT TESTED: needs {package}; {command} has it"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    return report if item.name in MAY_BE_SKIPPED else _failed_if_skipped(report, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _failed_if_skipped((yield), collector.config)


def _failed_if_skipped(report, config):
    if report.skipped and config.getoption("no_skips"):
        report.outcome = "failed"
        report.longrepr = f"with --no-skips this may not be skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def servers():
    """Real database servers, see benchmarks/servers.py; a test that cannot have its server fails."""
    script = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "servers.py"))
    # pytest closes its own folders to others, and PostgreSQL runs as another user
    with tempfile.TemporaryDirectory() as folder, script["Servers"](Path(folder)) as running:
        yield running
