"""`report A B`: scans whose losses cannot be compared are not merged without a word."""

import re
import shutil

import pytest
from ruamel.yaml import YAML

from hyperparton import hp_uniform, minimise
from hyperparton.errors import ReportError
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.write import render

EXAMPLE = """
dataset_inputs:
- {dataset: ONE, frac: 0.75}
- {dataset: TWO}
datacuts: {t0pdfset: T0, q2min: 3.49}
theory: {theoryid: 708}
fitting: {fitbasis: EVOL, basis: [{fl: sng, smallx: [1, 2]}]}
trvlseed: 1
kfold:
  threshold: 10
  partitions:
  - datasets: [ONE]
  - datasets: [TWO]
hyperscan_config:
  stopping: {min_epochs: 1, max_epochs: 2}
parameters: {epochs: 1}
"""


@pytest.fixture
def pair(scan_folder, tmp_path):
    """A function that gives two scans with the example's card, the second with changes."""

    def write(change=lambda card: None):
        folders = []
        for name in ("one", "two"):
            folder = shutil.copytree(scan_folder(), tmp_path / name, dirs_exist_ok=True)
            card = YAML(typ="safe", pure=True).load(EXAMPLE)
            if name == "two":
                change(card)
            with (folder / "filter.yml").open("w") as file:
                YAML(typ="safe", pure=True).dump(card, file)
            folders.append(folder)
        return read_scans(folders)

    return write


def reordered(card):
    card["dataset_inputs"].reverse()
    card["kfold"]["partitions"].reverse()
    card["description"] = "in another order"


def in_other_words(card):
    """Defaults written out, keys where n3fit finds them too."""
    card["kfold"].update(loss_type="chi2")
    card["kfold"]["partitions"][0].update(overfit=False)
    card["dataset_inputs"][1].update(weight=1.0, frac=1.0)
    card["datacuts"].update(use_cuts="internal", w2min=12.5, genrep=False)
    card.update(fitting={**card["fitting"], "sum_rules": "All"}, q2min=card["datacuts"].pop("q2min"), filter_rules=[])


def test_alike(pair):
    for change in (lambda card: None, reordered, in_other_words):
        summary = summarise(pair(change))
        assert len(summary.trials) == 80
        assert summary.notes == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda card: card["dataset_inputs"].pop(), r"dataset_inputs \(2 entries, 1 entry\)"),
        (lambda card: card["datacuts"].update(q2min=10), r"datacuts\.q2min \(3\.49, 10\)"),
        (lambda card: card["datacuts"].update(use_cuts="nocuts"), r"datacuts\.use_cuts \(internal, nocuts\)"),
        (lambda card: card["fitting"].update(sum_rules="MSR"), r"sum_rules \(All, MSR\)"),
        (lambda card: card["fitting"]["basis"][0].update(trainable=False), r"fitting\.basis"),
        (lambda card: card["theory"].update(theoryid=40000000), r"theory\.theoryid \(708, 40000000\)"),
        (lambda card: card["kfold"]["partitions"][0].update(datasets=["ONE", "TWO"]), r"kfold\.partitions"),
        (lambda card: card["kfold"].update(loss_type="phi2"), r"kfold\.loss_type \(chi2, phi2\)"),
        (lambda card: card.pop("kfold"), r"kfold \(.*, not given\)"),
        (lambda card: card.update(trainer="mine:make"), r"trainer \(not given, mine:make\)"),
    ],
    ids=["data", "cuts", "no cuts", "sum rules", "exponents", "theory", "folds", "loss", "no folds", "trainer"],
)
def test_not_comparable(pair, change, told):
    scans = pair(change)
    with pytest.raises(ReportError, match=rf"one/.*two/.* cannot be combined, .* differ in .*{told}.*; report each by"):
        summarise(scans)


def test_other_spaces_are_said(pair):
    summary = summarise(pair(lambda card: card["hyperscan_config"]["stopping"].update(max_epochs=3)))
    assert len(summary.notes) == 1
    assert summary.notes[0].startswith("one and two differ in hyperscan_config. Their losses can be compared;")
    assert f'<p class="note">{summary.notes[0]}</p>' in render(summary)


def test_a_scan_without_a_card_is_said(pair):
    scans = pair()
    (scans[1].folder.runcard).unlink()
    summary = summarise(read_scans([scan.folder.path for scan in scans]))
    assert re.match("The card of two is not beside the trials", summary.notes[0])


def test_functions(tmp_path):
    """What another function gave is no better or worse."""

    def one(params):
        return params["x"]

    def two(params):
        return -params["x"]

    space = {"x": hp_uniform("x", 0, 1)}
    for name, function in (("a", one), ("b", one), ("c", two)):
        minimise(function, space, trials=3, output=tmp_path / name, engine="random")
    assert len(summarise(read_scans([tmp_path / "a", tmp_path / "b"])).trials) == 6
    with pytest.raises(ReportError, match=r"differ in function \(.*one, .*two\)"):
        summarise(read_scans([tmp_path / "a", tmp_path / "c"]))
