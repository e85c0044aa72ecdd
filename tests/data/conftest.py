"""What the tests of the data layer share: a runcard reduced to what the layer reads, on a few small data sets."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def make_card():
    """A function that makes a card; its arguments replace the defaults."""

    def make(*datasets, **settings):
        card = {
            "dataset_inputs": tuple(
                SimpleNamespace(**{"frac": 1.0, "cfac": (), "variant": "legacy", **entry}) for entry in datasets
            ),
            "datacuts": SimpleNamespace(q2min=3.49, w2min=12.5, t0pdfset=None),
            "theoryid": 40_000_000,
            "positivity": (),
            "integrability": (),
            "added_filter_rules": (),
            "diagonal_basis": True,
            "trvlseed": 1,
            "mcseed": 2,
            "genrep": False,
            "path": None,
        }
        return SimpleNamespace(**{**card, **settings})

    return make
