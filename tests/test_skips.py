"""What `--no-skips`, which CI sets, makes of tests that are skipped; see conftest.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = """
import pytest

@pytest.fixture
def nothing():
    pytest.skip("there is nothing")

def test_by_a_fixture(nothing): ...

@pytest.mark.skip(reason="marked")
def test_by_a_mark(): ...

def test_a_genuine_mongod_takes_part(nothing): ...

def test_not_skipped(): ...
"""


def pytest_says(folder, *options):
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "status", "closing"),
    [([], 0, "1 passed, 3 skipped in"), (["--no-skips"], 1, "1 passed, 1 skipped, 2 errors in")],
)
def test_a_skipped_test_is_a_failure_unless_it_is_listed(tmp_path, options, status, closing):
    (tmp_path / "test_some.py").write_text(SKIPPED)
    found, last = pytest_says(tmp_path, *options)
    assert found == status
    assert last.startswith(closing)


def test_a_skipped_module_is_a_failure(tmp_path):
    (tmp_path / "test_some.py").write_text("import pytest\npytest.importorskip('no_such_package')")
    assert pytest_says(tmp_path)[1].startswith("1 skipped in")
    assert pytest_says(tmp_path, "--no-skips")[1].startswith("1 error in")
