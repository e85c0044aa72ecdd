"""The head of a report: what it says of the loss is what the program computes, and the rest is what the scan was."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton import hp_uniform, minimise
from hyperparton.hyperloss.loss import FoldResult, HyperLoss
from hyperparton.hyperloss.metrics import Metrics
from hyperparton.report.about import _at_once, about, loss_words
from hyperparton.report.scans import read_scan
from hyperparton.report.summary import summarise
from hyperparton.report.write import write_report
from hyperparton.runcard.kfold import KFold

FITTED = Metrics(chi2=1.0, phi2=0.3, logp=2.0, chi2exp=1.5)
STATISTICS = {"mean": np.mean, "maximum": np.max, "standard deviation": np.std}
CARD = """
description: two folds
dataset_inputs:
- {dataset: ONE, frac: 0.75}
- {dataset: TWO}
datacuts: {t0pdfset: T0, q2min: 3.49}
theory: {theoryid: 708}
genrep: true
kfold:
  partitions:
  - datasets: [ONE]
  - datasets: [TWO]
"""


def kfold(**given):
    return KFold.model_validate({"partitions": [{"datasets": ["A"]}, {"datasets": ["B"]}], **given})


@pytest.mark.parametrize("replicas", [1, 2, 7, 20])
@pytest.mark.parametrize("share", [0.85, 0.5, 1.0])
@pytest.mark.parametrize("statistic", ["average", "best_worst", "std"])
def test_the_chi2_loss_is_as_it_is_said(replicas, share, statistic):
    """Computed from the words alone, it is what `HyperLoss` gives."""
    random = np.random.default_rng(replicas)
    card = kfold(reduce_proportion=share, replica_statistic=statistic, fold_statistic=statistic, threshold=1e6)
    folds = [
        FoldResult(random.uniform(1, 3, replicas), random.uniform(1, 6, replicas), {}, FITTED, FITTED) for _ in range(2)
    ]
    words, formula = loss_words(card.model_dump(), replicas)
    noun, best = re.search(rf"the (\D+) validation χ² .*? lowest one \(\S+ %, (\d+) of {replicas}\)", words).groups()
    lowest = re.search(rf"hidden data has above 2, over .* \(\S+ %, (\d+) of {replicas}\)", words)[1]
    of_folds = [
        STATISTICS[noun](np.sort(fold.validation)[: int(best)])
        + max(0.0, STATISTICS[noun](np.sort(fold.experimental)[: int(lowest)]) - 2.0)
        for fold in folds
    ]
    over = STATISTICS[re.search(r"then the (\D+) over folds", words)[1]]
    slope, limit = map(float, re.search(r"\+ max\(0, (\d+) \(χ²\(fitted\) − (\S+)\)\)", formula).groups())
    expected = over(of_folds) + slope * max(0.0, FITTED.chi2exp - limit)
    assert HyperLoss(card).trial_loss(folds, 1e6).loss == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["phi2", "logp", "chi2p"])
def test_other_losses(kind):
    card = kfold(loss_type=kind, threshold=1e6)
    fold = FoldResult(np.ones(2), np.ones(2), {}, Metrics(chi2=2.0, phi2=0.25, logp=3.0, chi2exp=1.0), FITTED)
    words, formula = loss_words(card.model_dump())
    value = {"phi2": 0.25, "logp": 3.0, "chi2p": 2.0}[kind]
    reciprocal = "1 / [" in formula
    assert reciprocal == ("reciprocal" in words) == (kind == "phi2")
    expected = (1 / value if reciprocal else value) + 100 * (1.5 - 1.2)
    assert HyperLoss(card).trial_loss([fold, fold], 1e6).loss == pytest.approx(expected)


def test_of_a_scan(scan_folder, tmp_path):
    folder = scan_folder()
    (folder / "filter.yml").write_text(CARD)
    said = {entry.term: entry.text for entry in about(read_scan(folder))}
    assert said["Data"] == (
        "2 data sets, theory 708, Q² above 3.49 GeV², W² above 12.5 GeV², t0 set T0; each replica is fitted to a Monte "
        "Carlo replica of the data"
    )
    assert said["Folds"] == "2: 1 hides ONE; 2 hides TWO"
    assert "above 50.0 ends the trial as failed" in said["Loss"]  # what a card without `threshold` has
    # 40 trials of 9 s, one each 10 s
    assert said["Time"] == "6 min in all trials, 9 s a trial, 6.65 min from the first start to the last end"
    assert said["Computing"] == "1 job on 1 machine"


def test_trials_that_ran_together():
    """The third begins as the first ends; one that nobody has finished does not count."""
    times = [(0.0, 9.0), (5.0, 20.0), (9.0, 30.0), (19.0, 21.0), (40.0, 41.0), (0.0, None)]
    assert _at_once([SimpleNamespace(begin=begin, end=end) for begin, end in times]) == 3


def test_of_a_function(tmp_path):
    def parabola(params):
        return params["x"] ** 2

    minimise(parabola, {"x": hp_uniform("x", 0, 1)}, trials=2, output=tmp_path, engine="random", seed=3)
    said = {entry.term: entry.text for entry in about(read_scan(tmp_path))}
    assert re.fullmatch(r"what the function \S*parabola returns; small is good", said["Loss"])
    assert said["Engine"] == "random, seed 3"
    assert "Data" not in said


@pytest.mark.parametrize(
    "text",
    ["kfold: 3", "kfold: {partitions: 3, reduce_proportion: x}", "dataset_inputs: 1\ntheory: 2", "- a", "a: [", ""],
)
def test_a_card_of_whatever_content(scan_folder, text):
    folder = scan_folder()
    (folder / "filter.yml").write_text(text)
    assert {entry.term for entry in about(read_scan(folder))} >= {"Time", "Computing"}


def test_the_head_of_the_page(scan_folder, tmp_path, browse):
    """Loss with formula, then the answers: the first sentence stands out, and links lead to what is there."""
    folder = scan_folder()
    (folder / "filter.yml").write_text(CARD)
    summary = summarise([read_scan(folder)])
    page = write_report(summary, tmp_path / "out")
    with browse() as browser:
        browser.open(page.as_uri())
        assert browser.texts("#about dt")[:3] == ["Loss", "Data", "Folds"]
        assert browser.text("#about pre").startswith("L(fold) = mean[χ²(validation), lowest 85 %]")
        leads = browser.texts("#answers dd strong")
        assert leads[-1] == "4 of 40 trials failed."
        assert len(leads) == len(summary.findings)
        targets = browser.run("return [...document.querySelectorAll('#answers a')].map(a => a.getAttribute('href'))")
        assert len(targets) == len(summary.findings)
        assert browser.run(
            "return [...document.querySelectorAll('a[href^=\"#\"]')]"
            ".every(a => document.querySelector(a.getAttribute('href')))"
        )
