"""Nodes of a Dask cluster on which no trainer can be built: they are left out, and others run their trials."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest
from cheap import Trainer, make, scanner

from hyperparton import Execution, Recipe, ScanSettings, read_tries, run_scan
from hyperparton.errors import Fault, NodeError, RuncardError, ScanError
from hyperparton.scan import cluster
from hyperparton.trials.local import FileTrials

HERE = Path(__file__).parent
TRIALS = 12
SETTINGS = ScanSettings(engine="random", lag=2)


def on_node(folder, fault):
    """The builder of the recipe: what is wrong shows where NODE, a variable in the worker's environment, says bad."""
    folder = Path(folder)
    if os.environ["NODE"] == "bad" or fault in EVERYWHERE:
        (EVERYWHERE | FAULTS)[fault](folder)
    trainer, space = make(sleep=0.02)
    return OnNode(trainer, folder, fault), space


class OnNode:
    """A trainer that does what `fault` says in its first trial on this node."""

    def __init__(self, trainer, folder, fault):
        self.set_hyperopt, self.run = trainer.set_hyperopt, trainer.hyperparametrizable
        self.folder, self.fault = folder, fault

    def hyperparametrizable(self, params):
        here = self.folder / f"{os.environ['NODE']} {self.fault}"
        first = not here.exists()
        here.touch()
        if self.fault == "full_later" and os.environ["NODE"] == "bad":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "full_in_trial" and os.environ["NODE"] == "bad":
            raise OSError(28, "No space left on device")
        if self.fault == "good_restarts" and os.environ["NODE"] == "good" and first:
            keeper = psutil.Process().parent()
            keeper.parent().kill()
        return self.run(params)


def no_accelerator(folder):
    os.environ["JAX_PLATFORMS"] = "cuda"
    from hyperparton.fit.parallel import start

    start()


def dies(folder):
    os.kill(os.getpid(), signal.SIGILL)


def lacks(folder):
    raise ScanError("trainer mine:make: No module named 'torch'")


def full_later(folder):
    if (folder / "bad full_later").exists():
        raise OSError(28, "No space left on device")


def card(folder):
    raise RuncardError([Fault("must be above 0", "kfold.threshold", file="card.yml", line=3)])


def all_full(folder):
    raise OSError(28, "No space left on device")


FAULTS = {
    "no_accelerator": no_accelerator,
    "dies": dies,
    "lacks": lacks,
    "full_later": full_later,
    "full_in_trial": lambda folder: None,
    "good_restarts": lacks,
}
EVERYWHERE = {"card": card, "all_full": all_full, "all_lack": lacks}
WORDS = {
    "no_accelerator": "JAX does not start on this machine (JAX_PLATFORMS is cuda)",
    "dies": "dies before it has a trainer: it was ended by signal 4",
    "lacks": "No module named 'torch'",
    "full_later": "No space left on device",
    "full_in_trial": "OSError: [Errno 28] No space left on device",
    "good_restarts": "No module named 'torch'",
    "without_us": "hyperparton",
}


@contextlib.contextmanager
def nodes(*kinds, **options):
    """A Dask cluster with a worker of each of these kinds, good or bad: processes of their own."""
    from distributed import Nanny, Scheduler, SpecCluster

    workers = {
        number: {"cls": Nanny, "options": {"nthreads": 2, "env": {"NODE": kind}, **options.get(kind, {})}}
        for number, kind in enumerate(kinds)
    }
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard": False}}
    with SpecCluster(workers, scheduler) as made:
        yield made


def scan(tmp_path, made, fault):
    recipe = Recipe("test_cluster_nodes:on_node", {"folder": str(tmp_path), "fault": fault}, (str(HERE),))
    execution = Execution(scheduler=made.scheduler_address)
    return run_scan(tmp_path / "out", recipe, scanner(), TRIALS, settings=SETTINGS, execution=execution)


def addresses(made):
    """The number of each worker and its address."""
    return {worker["name"]: address for address, worker in made.scheduler_info["workers"].items()}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The same scan in this process."""
    folder = tmp_path_factory.mktemp("calm")
    run_scan(folder, Trainer(), scanner(), TRIALS, settings=SETTINGS)
    return results(folder)


def results(folder):
    return [
        (entry["tid"], entry["misc"]["vals"], entry["result"]["loss"]) for entry in read_tries(folder / "tries.json")
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_node_is_left_out(tmp_path, calm, caplog, fault):
    with nodes("bad", "good") as made:
        bad = addresses(made)[0]
        scan(tmp_path, made, fault)
        assert addresses(made)[0] == bad  # others may use it
    assert results(tmp_path / "out") == calm
    told = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith(f"the Dask worker {bad} is left out for the rest of this scan, others run its trials: ")
    assert WORDS[fault] in told[0]
    assert socket.gethostname() in told[0]


def test_a_node_without_the_package_is_left_out(tmp_path, calm, caplog):
    absent = {"preload": ["import sys; sys.modules['hyperparton'] = None"]}
    with nodes("bad", "good", bad=absent) as made:
        bad = addresses(made)[0]
        scan(tmp_path, made, "none")
    assert results(tmp_path / "out") == calm
    (told,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert bad in told
    assert "hyperparton" in told
    with nodes("bad", bad=absent) as made, pytest.raises(NodeError, match="no Dask worker can import hyperparton"):
        scan(tmp_path, made, "none")


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("no_accelerator", NodeError, "JAX does not start on this machine"),
        ("dies", NodeError, "dies before it has a trainer"),
        ("all_full", NodeError, "No space left on device"),
        ("all_lack", ScanError, "No module named 'torch'"),
        ("card", RuncardError, r"card\.yml:3: kfold\.threshold: must be above 0"),
    ],
)
def test_without_a_good_node_nothing_is_booked(tmp_path, caplog, fault, kind, words):
    with nodes("bad", "bad") as made, pytest.raises(kind, match=words) as raised:
        scan(tmp_path, made, fault)
    assert type(raised.value) is kind
    assert not (tmp_path / "out").exists()
    assert not [record for record in caplog.records if record.name.startswith("hyperparton")]


@pytest.mark.parametrize("fault", ["full_later", "full_in_trial"])
def test_the_last_good_node_goes_bad(tmp_path, monkeypatch, fault):
    monkeypatch.setattr(cluster, "_RESTART", 1.0)
    with nodes("bad") as made, pytest.raises(NodeError, match="No space left on device"):
        scan(tmp_path, made, fault)
    # what ran there was given back
    with FileTrials(tmp_path / "out") as store:
        assert store.next_number() > 0
        held = [store.get(number) for number in range(store.next_number())]
    assert [(trial.owner, trial.result) for trial in held] == [(None, None)] * len(held)
