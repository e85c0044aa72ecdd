"""`confirm DIR` for a scan without a store: what is read of its `tries.json`, and what is fitted again of that.

No physics: the trainer gives back what it was given. For a scan of n3fit see `test_confirm_n3fit.py`.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hyperparton.cli import group
from hyperparton.errors import HyperpartonError, ScanError, StoreError

TRAINER = """
class Trainer:
    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": params["x"]}

class Refitting(Trainer):
    def refit(self, params, replicas):
        losses = [params.get("parameters", params)["x"] + 0.01 * (replica % 3) for replica in replicas]
        return {"status": "ok", "loss": sum(losses) / len(losses), "replica_losses": losses, "given": params}

def make(card):
    return Refitting()

def plain(card):
    return Trainer()
"""
CARD = """
trainer: echoing:make
parameters: {x: 0.5, kind: a, steps: 3, share: 0.5, fixed: 7}
hyperscan_config:
  space: {x: {min: 0, max: 1}, kind: {choice: [a, b]}, share: {min: 0.1, max: 0.5, steps: 5}}
"""


def entry(number, loss, x=None, status="ok", **more):
    """A trial as n3fit writes it: vals by labels of its own, and parameters that do not say what the card fixes."""
    stated = {"x": loss if x is None else x, "kind": "b", "share": 0.48, **more.pop("stated", {})}
    changes = {"result": {"status": status, "loss": loss}, "state": 2} | more
    misc = {"tid": number, "vals": {"its_own": [0.25]}, "space_vals": stated}
    return {"tid": number, "misc": misc} | changes


def run(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, HyperpartonError), done.output
    return done


class Folder:
    """A scan's folder, its card and its trials."""

    def __init__(self, path, replica="replica_1"):
        self.path, self.replica = path / "scan", path / "scan" / "nnfit" / replica
        self.replica.mkdir(parents=True)
        self.card = self.path / "filter.yml"
        self.card.write_text(CARD)
        (self.path / "echoing.py").write_text(TRAINER)

    def write(self, *entries):
        (self.replica / "tries.json").write_text(json.dumps(entries))
        return self

    def refits(self):
        """(trial, its first and last replica, what the trainer was given)"""
        entries = json.loads((self.replica / "refits" / "tries.json").read_text())
        vals = [entry["misc"]["vals"] for entry in entries]
        given = [entry["result"]["given"] for entry in entries]
        return [
            (each["refit/trial"][0], each["refit/first"][0], each["refit/last"][0], params)
            for each, params in zip(vals, given, strict=True)
        ]

    def confirm(self, *options):
        return run("confirm", self.path, *options)

    def refused(self, *options, error=StoreError):
        before = sorted(self.path.rglob("*"))
        fault = self.confirm(*options).exception
        assert isinstance(fault, error)
        assert [path for path in sorted(self.path.rglob("*")) if "__pycache__" not in path.parts] == before
        return str(fault)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_the_trainer_is_given_what_the_trials_state(folder):
    """No more and no less: 0.48 is between the points of the card's grid, and n3fit may drop what the card fixes."""
    done = folder.write(entry(0, 0.5), entry(1, 0.25), entry(2, 0.75)).confirm("--top", 2)
    assert done.exit_code == 0, done.output
    asked = {(trial, given["x"]) for trial, _, _, given in folder.refits()}
    assert {(0, 0.5), (1, 0.25)} <= asked <= {(0, 0.5), (1, 0.25), (2, 0.75)}
    assert all(given == {"x": given["x"], "kind": "b", "share": 0.48} for _, _, _, given in folder.refits())
    assert "trial 1 is the best: mean loss 0.26" in done.stdout


def test_workers_are_given_the_same(folder):
    folder.write(entry(0, 0.5), entry(1, 0.25), entry(2, 0.75))
    assert folder.confirm("--top", 3, "--workers", 2).exit_code == 0
    assert {(trial, given["share"]) for trial, _, _, given in folder.refits()} == {(0, 0.48), (1, 0.48), (2, 0.48)}


def test_failed_and_unfinished_trials_take_no_part(folder):
    failed = [entry(0, 0.01, status="fail"), entry(1, float("nan"), x=0.02), entry(2, "Infinity", x=0.03)]
    running = entry(3, 0.04, state=1, result={"status": "new"})
    done = folder.write(*failed, running, entry(4, "0.5", x=0.5), entry(5, 0.25)).confirm("--top", 6)
    assert done.exit_code == 0, done.output
    assert {trial for trial, *_ in folder.refits()} == {4, 5}
    assert "the 5 finished ones are taken; 1 that are not finished take no part" in done.output


def test_losses_may_be_of_any_kind(folder):
    """That of loss_type logp is negative where a fit is good; the re-fits say what is best."""
    folder.write(entry(0, -2.0, x=0.75), entry(1, -0.5, x=0.25), entry(2, 3.0, x=0.5), entry(3, 2.5, x=0.6))
    assert "trial 1 is the best" in folder.confirm("--top", 2).stdout
    assert [trial for trial, *_ in folder.refits()][:2] == [0, 1]


def test_replicas_are_new_ones(tmp_path):
    """Trials of three replicas, of which the folder tells the first."""
    meta = {"validation_losses": [[1.0, 1.0, 1.0]], "hyper_losses": [[1.0, 1.0, 1.0]]}
    folder = Folder(tmp_path, "replica_4")
    results = [{"status": "ok", "loss": loss, "kfold_meta": meta} for loss in (0.25, 0.5)]
    folder.write(*[entry(i, result["loss"], result=result) for i, result in enumerate(results)])
    done = folder.confirm("--top", 2)
    assert done.exit_code == 0, done.output
    assert sorted({(first, last) for _, first, last, _ in folder.refits()}) == [(7, 11), (12, 16), (17, 26), (27, 46)]


def test_of_several_scans_the_first_is_taken(tmp_path):
    one, other = Folder(tmp_path), tmp_path / "scan" / "nnfit" / "replica_2"
    one.write(entry(0, 0.25), entry(1, 0.5))
    other.mkdir()
    (other / "tries.json").write_text(json.dumps([entry(0, 0.75), entry(1, 0.5)]))
    done = one.confirm("--top", 2)
    assert f"not taken: {other / 'tries.json'}; each is confirmed by itself" in done.output
    assert not (other / "refits").exists()
    again = run("confirm", other / "tries.json", "--top", 2)
    assert again.exit_code == 0, again.output
    assert "trial 1 is the best" in again.stdout
    assert f"trials: {other / 'tries.json'}" in again.stdout
    assert (other / "refits" / "tries.json").exists()


def test_more_trials_later_are_confirmed_with_what_is_there(folder):
    trials = [entry(number, 0.3 + 0.05 * number) for number in range(6)]
    assert folder.write(*trials[:4]).confirm("--top", 2).exit_code == 0
    first = folder.refits()
    done = folder.write(*trials, entry(6, 0.1)).confirm("--top", 2)
    assert folder.refits()[: len(first)] == first
    assert {trial for trial, *_ in folder.refits()} >= {0, 1, 6}
    assert "trial 6 is the best" in done.stdout


def test_by_default_it_takes_no_more_fits_than_the_scan(folder):
    done = folder.write(*[entry(number, 0.3 + 0.01 * number) for number in range(25)]).confirm()
    assert done.exit_code == 0, done.output
    assert 10 <= sum(last - first + 1 for _, first, last, _ in folder.refits()) <= 25


def test_too_few_trials_are_told(folder):
    done = folder.write(entry(0, 0.5), entry(1, 0.25, status="fail")).confirm()
    assert done.exit_code == 0
    assert "too few trials to fit the best ones again" in done.output
    assert not (folder.replica / "refits").exists()


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        ([entry(0, 0.5, x=2.0), entry(1, 0.5)], "1 in x (2 in trial 0, accepted: 0 to 1)"),
        ([entry(0, 0.5, stated={"kind": "c"}), entry(1, 0.5)], "1 in kind (c in trial 0, accepted: a or b)"),
        ([entry(0, 0.5), entry(1, 0.5, stated={"share": 0.55})], "1 in share (0.55 in trial 1, accepted: 0.1 to 0.5)"),
        ([entry(0, 0.5), entry(1, 0.5, stated={"fixed": 8})], "1 in fixed (8 in trial 1, accepted: 7)"),
        ([entry(0, 0.5), entry(1, 0.5, stated={"other": 8})], "1 in other (8 in trial 1, accepted: not set)"),
        (
            [entry(0, 0.5), entry(1, 0.5, misc={"vals": {}})],
            "1 in space_vals (nothing in trial 1, accepted: the trial's",
        ),
    ],
)
def test_trials_that_do_not_lie_in_the_cards_space_are_told(folder, trials, told):
    message = folder.write(*trials).refused("--top", 2)
    assert message.startswith(
        f"{folder.replica / 'tries.json'}: the search space of the card does not hold 1 of its 2 finished trials"
    )
    assert told in message


@pytest.mark.parametrize(
    ("trials", "told", "error"),
    [
        ([entry(3, 0.5), entry(3, 0.25)], "holds two trials with the number 3", StoreError),
        ([entry(0, 0.5, status="fail")], "of its 1 finished trial none succeeded", ScanError),
        ([], "of its 0 finished trials none succeeded", ScanError),
    ],
)
def test_trials_that_cannot_be_confirmed_are_told(folder, trials, told, error):
    message = folder.write(*trials).refused("--top", 2, error=error)
    assert message.startswith(f"{folder.replica / 'tries.json'}: {told}")


def test_a_trainer_that_cannot_fit_again_is_told(folder):
    folder.card.write_text(CARD.replace(":make", ":plain"))
    message = folder.write(entry(0, 0.5), entry(1, 0.25)).refused(error=ScanError)
    assert message == "the best trials cannot be fitted again: the trainer has no method refit(params, replicas)"


def test_re_fits_of_other_trials_are_not_taken(folder):
    assert folder.write(entry(0, 0.5), entry(1, 0.25)).confirm("--top", 2).exit_code == 0
    assert "is of another scan: trial" in folder.write(entry(0, 0.45), entry(1, 0.35)).refused("--top", 2)


def test_re_fits_by_another_card_are_not_mixed(folder):
    folder.write(entry(0, 0.5), entry(1, 0.25), entry(2, 0.75))
    assert folder.confirm("--top", 2).exit_code == 0
    before = folder.refits()
    folder.card.write_text(CARD + "effort: 3\n")
    assert "holds re-fits with another runcard: effort (None, asked for 3)" in folder.refused("--top", 3)
    folder.card.write_text(CARD + "description: another comment\n")
    assert folder.confirm("--top", 3).exit_code == 0
    assert folder.refits()[: len(before)] == before


def test_a_choice_among_whole_sets_as_n3fit_writes_it(folder):
    sets = [{"x": 0.25, "kind": "a"}, {"x": 0.5, "kind": "b"}]
    folder.card.write_text(
        f"trainer: echoing:make\nparameters: {{x: 0.5, kind: a}}\nhyperscan_config: {{parameters: {json.dumps(sets)}}}"
    )
    trials = [entry(number, each["x"]) for number, each in enumerate(sets)]
    for trial, each in zip(trials, sets, strict=True):
        trial["misc"]["space_vals"] = {"parameters": each}
    done = folder.write(*trials).confirm("--top", 2)
    assert done.exit_code == 0, done.output
    # as in a scan of ours
    assert {trial: given["parameters"] for trial, _, _, given in folder.refits()} == dict(enumerate(sets))
    assert run("best", folder.path, "--format", "yaml").stdout.split() == ["parameters:", "x:", "0.25", "kind:", "a"]
