"""Runcards for the tests: NNPDF's own form, as text that a test can damage."""

from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session")
def scan_text():
    """A card of a scan with everything in it."""
    return (DATA / "dis_scan.yml").read_text()


@pytest.fixture(scope="session")
def fit_text():
    """A card of a fit."""
    return (DATA / "dis_fit.yml").read_text()
