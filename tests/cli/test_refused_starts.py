"""A command that is refused leaves the folder as it was: no file, no folder, no letter of what was there."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from hyperparton.scan.settings import ScanSettings
from hyperparton.workflow.scan import scan_runcard

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN = str(EXAMPLES / "own_trainer.yml")


def contents(folder):
    """Every name below a folder, and the bytes of each file."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a scan of two trials."""
    folder = tmp_path_factory.mktemp("scan") / "done"
    scan_runcard(OWN, folder, 2, settings=ScanSettings(engine="random"))
    return folder


@pytest.fixture
def place(done, tmp_path, monkeypatch):
    """The current folder: a scan in `done`, two cards with faults, a file where folders are wanted."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(done, "done")
    Path("fault.yml").write_text(Path(OWN).read_text() + "\nno_such_key: 1\n")
    Path("broken.yml").write_text("a: [\n")
    Path("file").write_text("mine\n")
    Path("empty").mkdir()
    return tmp_path


@pytest.fixture
def nobody():
    """A port of this machine on which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


SCAN = f"scan {OWN} --trials 3 --engine random"
SCANS = {
    "a card with a fault": "scan fault.yml --trials 2 -o new/out",
    "a card that is no YAML": "scan broken.yml --trials 2 -o new/out",
    "no card": "scan no.yml --trials 2 -o new/out",
    "the folder of another scan": f"{SCAN} --seed 5 -o done",
    "a folder that is a file": f"{SCAN} -o file",
    "a folder below a file": f"{SCAN} -o file/out",
    "a store of no kind": f"{SCAN} -o new/out --store ftp://there/x",
    "a store that is no database": f"{SCAN} -o new/out --store sqlite:///file",
    "a store in no folder": f"{SCAN} -o new/out --store sqlite:///no/such/folder/x.db",
    "a server that does not answer": f"{SCAN} -o new/out --store postgresql://127.0.0.1:NOBODY/x --store-timeout 0",
    "no scan to learn from": f"{SCAN} -o new/out --from nothing",
    "a lag too short": f"{SCAN} -o new/out --lag 1 --batch-trials 2",
    "an engine that expects nothing": f"{SCAN} -o new/out --min-improvement 1",
    "a scheduler of no address": f"{SCAN} -o new/out --scheduler nonsense://x",
}


@pytest.mark.parametrize("log", ["new/log/events.jsonl", "file"])
@pytest.mark.parametrize("reason", SCANS)
def test_a_refused_scan_leaves_no_log(hyperparton, place, nobody, reason, log):
    """Nor changes the log of earlier scans."""
    before = contents(place)
    code, _, err = hyperparton(*SCANS[reason].replace("NOBODY", str(nobody)).split(), "--log-json", log)
    assert (code, "error" in err.lower()) != (0, False)
    assert code != 0
    assert contents(place) == before


@pytest.mark.parametrize("log", ["file/events", "empty", "n" * 300])
def test_a_log_that_cannot_be_made_refuses_the_scan(hyperparton, place, log):
    before = contents(place)
    code, _, err = hyperparton(*SCAN.split(), "-o", "new/out", "--log-json", log)
    assert code == 1
    assert f"{log}: cannot be written" in err
    assert contents(place) == before


OTHERS = {
    "fit: a card with a fault": "fit broken.yml -o new/out",
    "fit: no scan": f"fit {EXAMPLES / 'dis_small.yml'} --from nothing -o new/out",
    "fit: no weights": f"fit {EXAMPLES / 'dis_small.yml'} --load no.weights.h5 -o new/out",
    "report: no scan": "report nothing -o new/out",
    "report: an unknown filter": "report done -o new/out --filter no_such_key=1",
    "report: nothing left": "report done -o new/out --filter loss<-1e9",
    "report: no such loss": "report done -o new/out --loss chi2",
    "report: no fits of PDFs": "report done -o new/out --fits 1",
    "report: a file in its place": "report done -o file",
    "export: no scan": "export nothing --storage sqlite:///new.db",
    "export: no card": "export empty --storage sqlite:///new.db",
    "export: no database": "export done --storage sqlite:///file",
    "export: no storage": "export done --storage nonsense",
    "best: no scan": "best empty",
    "status: no scan": "status empty",
    "theory: an unknown data set": "theory build 208 -d NO_SUCH_SET -o new",
    "theory: no such card": "theory build 99999999 -d HERA_NC_318GEV_EP-SIGMARED -o new",
    "theory: no tables": "theory check empty --direct 1 --pieces new",
}


@pytest.mark.parametrize("reason", OTHERS)
def test_other_commands_that_are_refused_leave_nothing(hyperparton, place, reason):
    before = contents(place)
    code, _, err = hyperparton(*OTHERS[reason].split())
    assert code != 0
    assert err
    assert contents(place) == before
    assert not os.path.exists("new")
