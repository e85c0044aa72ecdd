"""The numbers of a report against values computed by hand or known in closed form."""

import math

import numpy as np
import pytest

from hyperparton.errors import ReportError
from hyperparton.report.convergence import convergence, failures, folds_saved, running_average, workers
from hyperparton.report.dependence import dependences
from hyperparton.report.findings import findings
from hyperparton.report.forest import grow_forest
from hyperparton.report.hyperparameters import columns
from hyperparton.report.importance import HINT, MATTERS, NO_DIFFERENCE, TOO_FEW, divergences, importances
from hyperparton.report.losses import Loss, good_range, replica_error
from hyperparton.trials.trial import ranked


@pytest.fixture
def folds(rows):
    meta = {
        "validation_losses": [[1.0, 3.0], [2.0, 6.0]],
        "experimental_losses": [[1.0, 2.0], [4.0, 5.0]],
        "hyper_losses_chi2": [1.0, 3.0],
        "hyper_losses_phi2": [0.25, 0.75],
        "hyper_losses_logp": [-2.0, 1.0],
    }
    return rows((0, 7.0, {"kfold_meta": meta}))[0]


@pytest.mark.parametrize(
    ("measure", "statistic", "value"),
    [
        ("scan", "average", 7.0),
        ("chi2", "average", 2.0),
        ("chi2", "best_worst", 3.0),
        ("chi2", "std", 1.0),
        ("phi2", "average", 2.0),
        ("phi2", "best_worst", 4 / 3),
        ("logp", "average", -0.5),
        ("logp", "std", 1.5),
        ("validation", "average", 3.0),
        ("validation", "best_worst", 4.0),
        ("experimental", "average", 3.0),
    ],
)
def test_losses_recomputed(folds, measure, statistic, value):
    assert Loss(measure, statistic)(folds) == pytest.approx(value)


def test_losses_that_are_not_there(rows):
    plain = rows((0, 7.0, {}))[0]
    assert Loss("chi2")(plain) is None
    with pytest.raises(ReportError, match=r"unknown loss 'chi' \(did you mean 'chi2'\?\)"):
        Loss("chi")
    with pytest.raises(ReportError, match="unknown statistic 'mean', accepted: average, best_worst, std"):
        Loss("chi2", "mean")


def test_the_error_from_replicas(folds):
    # variances 2 and 8 of two replicas each: sqrt(2/2 + 8/2) / 2 folds
    assert replica_error(folds) == pytest.approx(math.sqrt(5.0) / 2)


def test_equal_losses_keep_the_order_of_trials(rows):
    trials = rows((0, 2.0, {}), (1, 1.0, {}), (2, 1.0, {}), (3, None, {"status": "fail"}))
    assert [row.number for row, _ in ranked(trials, Loss())] == [1, 2, 0]


def test_convergence_by_time_of_finishing(rows):
    # trial 1 finishes before trial 0
    trials = rows(
        (0, 3.0, {"begin": 0, "seconds": 30}),
        (1, 5.0, {"begin": 5, "seconds": 5}),
        (2, None, {"begin": 31, "seconds": 4, "status": "fail"}),
        (3, 2.0, {"begin": 40, "seconds": 10}),
    )
    scan = convergence(trials, Loss())
    assert [row.number for row in scan.trials] == [1, 0, 2, 3]
    assert scan.best.tolist() == [5.0, 3.0, 3.0, 2.0]
    assert scan.seconds.tolist() == [10.0, 30.0, 35.0, 50.0]
    assert scan.last_improvement == 3
    assert scan.successful == 3


def test_combined_scans_are_set_side_by_side(rows):
    from dataclasses import replace

    one = [replace(row, scan="one") for row in rows((0, 3.0, {"begin": 0}), (1, 1.0, {"begin": 100}))]
    two = [replace(row, scan="two") for row in rows((0, 2.0, {"begin": 1000}))]
    scan = convergence([*one, *two], Loss())
    assert scan.seconds.tolist() == [10.0, 10.0, 110.0]
    assert scan.best.tolist() == [3.0, 2.0, 1.0]


def test_running_average(rows):
    trials = rows((0, 1.0, {}), (1, 9.0, {}), (2, 2.0, {}), (3, 6.0, {}))
    kept, values, means = running_average(trials, Loss(), 9.0, Loss())
    assert [row.number for row in kept] == [0, 2, 3]
    assert values.tolist() == [1.0, 2.0, 6.0]
    assert means.tolist() == [1.0, 1.5, 3.0]


def test_failures_by_cause(rows):
    nan = {"status": "fail", "failed_by": {"failure": {"type": "NaNLoss", "message": "the loss is nan"}}}
    over = {"status": "fail", "failed_by": {"reason": "hyper loss 60 of fold 1 is above the threshold 50"}}
    meta = {"validation_losses": [[1.0]]}
    trials = rows(
        (0, None, nan),
        (1, None, nan),
        (2, 120.0, {**over, "kfold_meta": meta}),
        (3, 1.0, {"kfold_meta": {"validation_losses": [[1.0]] * 4}}),
        (4, 9.0, {"status": "fail"}),
    )
    told = [(found.cause, len(found.trials), found.seconds, found.example) for found in failures(trials)]
    assert told == [
        ("NaNLoss", 2, 20.0, "NaNLoss: the loss is nan"),
        ("over the threshold", 1, 10.0, "hyper loss 60 of fold 1 is above the threshold 50"),
        ("status fail", 1, 10.0, "the trainer gave status fail (loss 9)"),
    ]
    assert folds_saved(trials) == (3, 5)


def test_workers(rows):
    trials = rows(
        (0, 1.0, {"owner": "a:1", "begin": 0, "seconds": 10}),
        (1, 1.0, {"owner": "b:2", "begin": 2, "seconds": 18}),
        (2, 1.0, {"owner": "a:1", "begin": 15, "seconds": 5}),
    )
    first, second = workers(trials)
    assert (first.owner, first.bars, first.busy, first.share) == ("a:1", ((0.0, 10.0), (15.0, 20.0)), 15.0, 0.75)
    assert (second.owner, second.bars, second.share) == ("b:2", ((2.0, 20.0),), 0.9)


def test_a_process_that_runs_several_trials_at_once(rows):
    trials = rows(
        (0, 1.0, {"owner": "a:1", "begin": 0, "seconds": 10}),
        (1, 1.0, {"owner": "a:1", "begin": 1, "seconds": 4}),
        (2, 1.0, {"owner": "a:1", "begin": 5, "seconds": 3}),
        (3, 1.0, {"owner": "a:1", "begin": 10, "seconds": 10}),
    )
    told = [(worker.owner, [row.number for row in worker.trials], worker.share) for worker in workers(trials)]
    assert told == [("a:1 (1)", [0, 3], 1.0), ("a:1 (2)", [1, 2], 0.35)]


def test_the_range_of_good_trials():
    assert good_range([1.0, 2.0, 3.0]) == (1.0, 3.0)
    # a third of the trials reach to 1.1, so what is worse than 1 + 5 * 0.1 is of no interest beside 400
    assert good_range([1.0, 1.1, 1.1, 1.1, 2.0, 400.0, 400.0]) == pytest.approx((1.0, 1.5))
    assert good_range([]) == (0.0, 1.0)


def test_divergence_in_closed_form():
    # shares 1/2, 1/2 of all and 1, 0 of the best: (1/2)^2 / (1/2), twice
    assert divergences(np.array([[2, 1], [0, 1]]), np.array([2, 2])) == pytest.approx([1.0, 0.0])
    # shares 1/4, 3/4 of all and 3/4, 1/4 of the best: (1/2)^2 (4 + 4/3)
    assert divergences(np.array([[3], [1]]), np.array([1, 3])) == pytest.approx([4 / 3])


def test_importances_find_what_matters(rows):
    rng = np.random.default_rng(3)
    values = [{"x": float(rng.random()), "noise": float(rng.random()), "fixed": 1} for _ in range(120)]
    trials = rows(*((n, (v["x"] - 0.3) ** 2, v) for n, v in enumerate(values)))
    first, second = importances(trials, Loss())
    assert (first.name, second.name) == ("x", "noise")
    assert first.p_value < 0.001
    assert first.divergence > first.chance
    assert second.p_value > 0.05


def scanned(rows, count, seed=3, few=3):
    """`x` matters; `noise`, and `kind` with a rare third category, do not; `clip` belongs to that category alone."""
    rng = np.random.default_rng(seed)
    values = [
        {"x": float(rng.random()), "noise": float(rng.random()), "kind": "rare" if n < few else "ab"[n % 2]}
        | ({"clip": float(rng.random())} if n < few else {})
        for n in rng.permutation(count).tolist()
    ]
    return rows(*((n, (v["x"] - 0.3) ** 2 + 0.001 * rng.standard_normal(), v) for n, v in enumerate(values)))


def answered(trials):
    return {entry.name: entry.answer for entry in importances(trials, Loss())}


def matters(trials):
    finished, entries = columns(trials), importances(trials, Loss())
    found = findings(trials, finished, Loss(), convergence(trials, Loss()), entries, [])
    return next(finding.answer for finding in found if finding.key == "matters")


def test_what_made_no_difference_is_told_from_what_was_hardly_sampled(rows):
    many, few = scanned(rows, 200), scanned(rows, 24)
    assert answered(many) == {"x": MATTERS, "noise": NO_DIFFERENCE, "kind": NO_DIFFERENCE}
    # of 6 best trials 5 or 6 lie in one half in 22 of 100 cases by chance
    assert answered(few)["noise"] == TOO_FEW
    text = matters(many)
    assert text.startswith("x: here the best quarter")
    assert "No difference seen: noise, kind (too few to tell: 3 with rare)" in text.replace(" and kind", ", kind")
    assert text.endswith("Sampled too little to tell: clip (3 trials).")
    assert "noise (24 trials" in matters(few)


def test_a_category_that_few_trials_have_is_not_judged(rows):
    """95 of 100 trials with one option: that none of the other five is among the best has a chance of 24 %."""
    rng = np.random.default_rng(8)
    trials = rows(*((n, float(rng.random()), {"kind": "b" if n % 20 == 0 else "a"}) for n in range(100)))
    assert answered(trials) == {"kind": TOO_FEW}
    assert "Sampled too little to tell: kind (100 trials, of them 5 with b)." in matters(trials)


def test_a_range_of_which_one_half_has_few_trials_is_not_judged(rows):
    rng = np.random.default_rng(9)
    numbers = np.append(rng.uniform(5, 6, 95), rng.uniform(9, 10, 5))
    trials = rows(*((n, float(rng.random()), {"x": float(number)}) for n, number in enumerate(numbers)))
    assert answered(trials) == {"x": TOO_FEW}
    assert "x (100 trials, of them 5 in the upper half)" in matters(trials)


def test_a_clear_preference_among_so_many_that_it_could_be_seen(rows):
    """The odds of one half are three times as high: where it is called too few to tell, chance gives as much."""
    rng, found = np.random.default_rng(10), []
    for _ in range(40):
        upper = rng.random(200) < 0.5
        losses = rng.random(200) - np.where(upper, 0.25, 0.0)
        values = np.where(upper, 0.5, 0.0) + 0.5 * rng.random(200)
        trials = rows(
            *((n, float(loss), {"x": float(v)}) for n, (loss, v) in enumerate(zip(losses, values, strict=True)))
        )
        found.append(answered(trials)["x"])
    # at least 4 of 5 are to be found; fewer than 25 of 40 would have a probability of 0.3 %
    assert sum(answer in (MATTERS, HINT) for answer in found) >= 25
    assert TOO_FEW not in found


def test_where_the_best_lie(rows):
    """24 trials, 6 in the best quarter: two thirds of them are four, and they lie closest together at the third."""
    best = [1.0, 3.0, 4.0, 5.0, 5.5, 9.0]
    others = [float(value) for value in np.linspace(0, 10, 18)]
    values = [{"x": x, "kind": "a" if x < 4.5 else "b", "rate": 10.0**x} for x in (*best, *others)]
    found = {e.name: e.best for e in importances(rows(*((n, float(n), v) for n, v in enumerate(values))), Loss())}
    assert (found["x"].low, found["x"].high, found["x"].least, found["x"].greatest) == (3.0, 5.5, 0.0, 10.0)
    assert found["x"].text == "3 to 5.5"
    # along the logarithm, as it is drawn; in the number itself the range would be 10 to 10^5
    assert (found["rate"].low, found["rate"].high) == pytest.approx((1e3, 10**5.5))
    low = sum(v["kind"] == "a" for v in values) / 24
    assert [share[:2] for share in found["kind"].shares] == [("a", 0.5), ("b", 0.5)]
    assert [share[2] for share in found["kind"].shares] == pytest.approx([low, 1 - low])
    assert found["kind"].text == "a 50%, b 50%"


def test_chance_is_called_chance(rows):
    """Losses that know nothing of the values: probabilities of chance are spread evenly from 0 to 1."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(20):
        trials = rows(
            *((n, float(rng.random()), {"x": float(rng.random()), "y": float(rng.random())}) for n in range(80))
        )
        found += [entry.p_value for entry in importances(trials, Loss())]
    assert len(found) == 40
    assert 0.35 < np.mean(found) < 0.65
    assert sum(p < 0.05 for p in found) <= 6  # 2 expected; more than 6 have a probability of 0.3 %


def test_the_forest_learns_a_step_and_not_noise():
    rng = np.random.default_rng(5)
    features = rng.random((300, 3))
    step = np.where(features[:, 1] > 0.5, 2.0, 0.0)
    forest = grow_forest(features, step)
    assert forest.explained > 0.9
    told = forest.predict(np.array([[0.5, 0.1, 0.5], [0.5, 0.9, 0.5]])).mean(axis=0)
    assert told == pytest.approx([0.0, 2.0], abs=0.15)
    assert grow_forest(features, rng.random(300)).explained < 0.15


def test_partial_dependences_of_a_sum(rows):
    # loss = 2 x + (0 for a, 1 for b) + noise: the dependence on x rises by 2, that on the kind by 1
    rng = np.random.default_rng(7)
    values = [{"x": float(rng.random()), "kind": "ab"[int(rng.integers(2))]} for _ in range(600)]
    trials = rows(*((n, 1 + 2 * v["x"] + (v["kind"] == "b"), v) for n, v in enumerate(values)))
    found = dependences(trials, Loss())
    assert found is not None
    assert found.explained > 0.9
    of_x, of_kind = found.entries
    assert of_x.loss[-1] - of_x.loss[0] == pytest.approx(2.0, rel=0.2)
    assert np.all(np.diff(of_x.loss) > -0.05)
    assert of_kind.at == ("a", "b")
    assert of_kind.loss[1] - of_kind.loss[0] == pytest.approx(1.0, rel=0.2)
    assert dependences(trials[:19], Loss()) is None
