"""`scan --like-n3fit`: the space of the scan, in this process and in the one that fits, is n3fit's own."""

import pytest

from hyperparton import read_tries
from hyperparton.runcard.check import read_runcard
from hyperparton.scan.scanner import HyperScanner
from hyperparton.workflow.recipe import TrainerRequest, build

CARD = """
trainer: line:make
parameters: {stopping_patience: 0.5, dropout: 0.0}
hyperscan_config:
  stopping: {min_patience: 0.1, max_patience: 0.4}
  architecture: {max_drop: 0.15}
"""
MODULE = """
class Line:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": params["stopping_patience"]}


def make(card):
    return Line()
"""


@pytest.fixture
def card(tmp_path):
    (tmp_path / "line.py").write_text(MODULE)
    path = tmp_path / "card.yml"
    path.write_text(CARD)
    return path


def drawn(folder):
    found = read_tries(folder / "nnfit" / "replica_1" / "tries.json")
    return {entry["misc"]["vals"]["stopping_patience"][0] for entry in found}


def test_grids_are_rounded(hyperparton, card, tmp_path):
    """0.1 to 0.4 in five steps of 0.06: multiples of 0.06 with it, 0.1, 0.16, ... without."""
    grids = {True: [0.12, 0.18, 0.24, 0.30, 0.36, 0.42], False: [0.1, 0.16, 0.22, 0.28, 0.34, 0.4]}
    for like, points in grids.items():
        options = ["--like-n3fit"] if like else []
        folder = tmp_path / f"out{len(options)}"
        code, _, err = hyperparton("scan", card, "--trials", 12, "--engine", "hyperopt", "--output", folder, *options)
        assert code == 0, err
        assert all(min(abs(value - point) for point in points) < 1e-12 for value in drawn(folder))
        assert len(drawn(folder)) > 3


def test_the_engine_is_n3fits(hyperparton, card, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    assert hyperparton("scan", card, "--trials", 3, "--like-n3fit", "--output", one)[0] == 0
    assert hyperparton("scan", card, "--trials", 3, "--like-n3fit", "--engine", "hyperopt", "--output", other)[0] == 0
    assert drawn(one) == drawn(other)


def test_the_process_that_fits_has_the_same_space(card, tmp_path):
    request = TrainerRequest(read_runcard(card), 1, tmp_path, like_n3fit=True)
    _, scanner = build(**request.recipe().arguments)
    assert isinstance(scanner, HyperScanner)
    assert scanner.like_n3fit


def test_the_engine_is_n3fits_after_a_help(hyperparton, card, tmp_path):
    """The help shows the engine that a scan has by itself; a command in the same process is not given it for that."""
    code, out, _ = hyperparton("scan", "--help")
    assert code == 0
    assert "default: gp" in out
    for name, engine in (("one", []), ("other", ["--engine", "hyperopt"])):
        assert hyperparton("scan", card, "--trials", 3, "--like-n3fit", "--output", tmp_path / name, *engine)[0] == 0
    assert drawn(tmp_path / "one") == drawn(tmp_path / "other")
