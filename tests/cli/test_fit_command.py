"""`hyperparton fit`: replicas by their numbers, weights from files and fits, and the files that n3fit would write."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data.load import load_fit_data
from hyperparton.interop.pseudodata_tables import FILES, pseudodata_tables
from hyperparton.runcard.check import read_runcard

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SETS = [{"dataset": "SLAC_NC_NOTFIXED_P_EM-F2", "variant": "legacy_dw"}]


@pytest.fixture
def write_card(tmp_path):
    """A function that writes a small card for fits, with the given sections in place of its own."""

    def write(name="card", **sections):
        yaml = YAML(typ="safe", pure=True)
        card = yaml.load((EXAMPLES / "dis_small.yml").read_text())
        card = {**card, "dataset_inputs": SETS, "hyperscan_config": None, "kfold": None, "genrep": True, "mcseed": 3}
        card["parameters"] |= {"epochs": 150, "stopping_patience": 0.99, "threshold_chi2": 1e4}
        path = tmp_path / f"{name}.yml"
        with path.open("w") as file:
            yaml.dump({key: value for key, value in {**card, **sections}.items() if value is not None}, file)
        return path

    return write


def files_of(folder, number):
    """The files of a replica by their names, numbers read and without times."""
    found = {}
    for path in sorted((folder / "nnfit" / f"replica_{number}").iterdir()):
        found[path.name.replace(folder.name, "NAME")] = path.read_bytes()
    content = json.loads(found["NAME.json"])
    content.pop("timing")
    return {**found, "NAME.json": content}


def assert_same(one, other):
    """Replicas that were fitted apart: start and data to the last digit, the end as far as rounding lets it be."""
    assert one.keys() == other.keys()
    assert all(one[name] == other[name] for name in one if name.endswith(".csv"))
    first, second = one["NAME.json"], other["NAME.json"]
    assert first["preprocessing"] == second["preprocessing"]
    assert first["chi2"] == pytest.approx(second["chi2"], rel=1e-3)


def test_replicas_by_their_numbers(hyperparton, write_card, tmp_path):
    """One of them alone is what it is among others, in another folder or the same."""
    card = write_card()
    both, alone = tmp_path / "both", tmp_path / "alone"
    assert hyperparton("fit", card, "--replicas", "3-4", "--output", both)[0] == 0
    assert hyperparton("fit", card, "--replica", 4, "--output", alone)[0] == 0
    assert sorted(path.name for path in (both / "nnfit").iterdir()) == ["replica_3", "replica_4"]
    assert_same(files_of(both, 4), files_of(alone, 4))
    assert files_of(both, 3)["NAME.json"]["chi2"] != pytest.approx(files_of(both, 4)["NAME.json"]["chi2"], rel=1e-3)
    # a job more of the same fit
    before = files_of(alone, 4)
    assert hyperparton("fit", card, "--replica", 3, "--output", alone)[0] == 0
    assert_same(files_of(alone, 3), files_of(both, 3))
    assert files_of(alone, 4) == before


@pytest.mark.parametrize("options", [("--replicas", "4-3"), ("--replicas", "0"), ("--replicas", "a"), ("--replica", 0)])
def test_no_such_replicas(hyperparton, write_card, options):
    assert hyperparton("fit", write_card(), *options)[0] == 2


def test_one_way_to_say_replicas(hyperparton, write_card):
    code, _, err = hyperparton("fit", write_card(), "--replicas", 2, "--replica", 1)
    assert code == 2
    assert "one of the two" in err


def test_files_as_n3fit_names_and_counts_them(hyperparton, write_card, tmp_path):
    """n3fit counts epochs from 0: the last of 150 is 149, and `stop_epoch` says how many were run."""
    card, folder = write_card(), tmp_path / "out"
    assert hyperparton("fit", card, "--output", folder)[0] == 0
    assert (folder / "md5").read_text() == hashlib.md5(card.read_bytes()).hexdigest()
    content = json.loads((folder / "nnfit" / "replica_1" / "out.json").read_text())
    assert list(content) == [
        "preprocessing", "stop_epoch", "best_epoch", "erf_tr", "erf_vl", "chi2", "pos_state", "arc_lengths",
        "integrability", "timing", "hyperparameters", "version",
    ]  # fmt: skip
    assert content["stop_epoch"] == 150
    assert content["hyperparameters"] == "from runcard"
    for kind in ("walltime", "cputime"):
        times = content["timing"][kind]
        assert set(times) == {"Total", "start", "replica_set", "replica_fitted", "replica_set_to_replica_fitted"}
        assert 0 <= times["replica_set"] <= times["replica_fitted"] <= times["Total"]
    log = json.loads((folder / "nnfit" / "replica_1" / "chi2exps.log").read_text())
    assert list(log) == ["100"]
    entry = log["100"]
    assert list(entry) == ["training_loss", "validation_loss", "validation_chi2s"]
    assert list(entry["validation_chi2s"]) == ["ALL", "total"]


def test_where_no_epoch_passed_the_last_is_told(hyperparton, write_card, tmp_path):
    card = write_card()
    text = card.read_text().replace("threshold_chi2: 10000.0", "threshold_chi2: 1e-6")
    assert text != card.read_text()
    card.write_text(text)
    assert hyperparton("fit", card, "--output", tmp_path / "out")[0] == 0
    content = json.loads((tmp_path / "out" / "nnfit" / "replica_1" / "out.json").read_text())
    assert (content["best_epoch"], content["stop_epoch"], content["pos_state"]) == (149, 150, "POS_VETO")


def test_the_log_is_of_the_epochs_that_it_names(hyperparton, write_card, tmp_path):
    """Fits of 100 and of 150 epochs are the same up to the hundredth, and end with the validation of their last."""
    logs = []
    for epochs in (100, 150):
        card = write_card()
        card.write_text(card.read_text().replace("epochs: 150", f"epochs: {epochs}").replace("10000.0", "1e-6"))
        folder = tmp_path / f"out{epochs}"
        assert hyperparton("fit", card, "--output", folder)[0] == 0
        logs.append(json.loads((folder / "nnfit" / "replica_1" / "chi2exps.log").read_text()))
        content = json.loads((folder / "nnfit" / "replica_1" / f"out{epochs}.json").read_text())
        if epochs == 100:
            assert logs[0]["100"]["validation_chi2s"]["total"] == pytest.approx(content["erf_vl"], rel=1e-4)
    assert logs[0] == logs[1]


def rows(folder, kind):
    lines = (folder / "nnfit" / "replica_2" / f"datacuts_theory_fitting_{kind}.csv").read_text().splitlines()
    assert lines[0].endswith("\treplica 2")
    return lines[1:]


def test_modes_that_neither_train_nor_validate(write_card):
    """Modes below `threshold` are in the table of all data alone; the group's name seeds the split, as in n3fit."""
    card = read_runcard(write_card(threshold=0.5, metadata_group="experiment"))
    data = load_fit_data(card)
    tables = pseudodata_tables(card, data, [1])[1]
    every, training, validation = (
        [int(line.split("\t")[0].removeprefix("eigenmode ")) for line in tables[name].splitlines()[1:]]
        for name in FILES
    )
    sigma = np.sqrt(np.diag(data.covmat))
    left = set(np.flatnonzero(np.linalg.eigvalsh(data.covmat / np.outer(sigma, sigma)) < 0.5).tolist())
    assert left
    assert set(every) - {*training, *validation} == left
    seed = int(hashlib.sha256(b"DEUTERON").hexdigest(), 16) % 10**8
    mask = np.arange(len(every)) < int(0.75 * len(every))
    np.random.Generator(np.random.PCG64(seed + np.random.RandomState(card.trvlseed).randint(2**31))).shuffle(mask)
    assert training == [mode for mode in every if mask[mode] and mode not in left]


@pytest.mark.parametrize("diagonal", [True, False])
def test_pseudodata_are_saved(hyperparton, write_card, tmp_path, diagonal):
    sets = [{**SETS[0], "frac": 0.7}]
    card, folder = write_card(diagonal_basis=diagonal, dataset_inputs=sets), tmp_path / "out"
    assert hyperparton("fit", card, "--replica", 2, "--output", folder)[0] == 0
    every, training, validation = (
        rows(folder, kind) for kind in ("pseudodata_table", "training_pseudodata", "validation_pseudodata")
    )
    assert sorted([*training, *validation]) == sorted(every)
    assert len(training) == int(len(every) * (0.75 if diagonal else 0.7))
    name = every[0].rpartition("\t")[0]
    assert name == ("eigenmode 0" if diagonal else "DEUTERON\tSLAC_NC_NOTFIXED_P_EM-F2\t41")


def test_pseudodata_are_not_saved_if_the_card_says_so(hyperparton, write_card, tmp_path):
    card = write_card()
    card.write_text(card.read_text().replace("fitbasis: EVOL", "fitbasis: EVOL\n  savepseudodata: false"))
    assert hyperparton("fit", card, "--output", tmp_path / "out")[0] == 0
    assert not list((tmp_path / "out" / "nnfit" / "replica_1").glob("*.csv"))


def shown(out):
    return [line.split()[1:] for line in out.splitlines()[1:]]


def test_weights_of_the_card(hyperparton, write_card, tmp_path):
    """`save` writes them, `load` starts every replica from one file, `load_weights_from_fit` each from its own."""
    card = write_card("first", save="mine.h5")
    folder = tmp_path / "first"
    assert hyperparton("fit", card, "--replicas", 2, "--output", folder)[0] == 0
    files = [folder / "nnfit" / f"replica_{n}" / "mine.weights.h5" for n in (1, 2)]
    by_option = [hyperparton("fit", card, "--replicas", 2, "--load", path, "--no-training") for path in files]
    assert all(code == 0 for code, _, _ in by_option)
    one, two = (shown(out) for _, out, _ in by_option)
    assert one != two
    card = write_card("second", load="first/nnfit/replica_2/mine.weights.h5")
    code, out, _ = hyperparton("fit", card, "--replicas", 2, "--no-training")
    assert (code, shown(out)) == (0, two)
    card = write_card("third", load_weights_from_fit="first")
    code, out, _ = hyperparton("fit", card, "--replicas", 2, "--no-training")
    assert (code, shown(out)) == (0, [one[0], two[1]])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"load": "nowhere.h5"}, "load: there is no file of weights 'nowhere.h5'; looked for nowhere.h5, "),
        ({"load_weights_from_fit": "nowhere"}, "load_weights_from_fit: there is no fit 'nowhere'; looked for "),
        ({"load_weights_from_fit": "fit"}, "load_weights_from_fit: the fit fit saved no weights: its card "),
        (
            {"load_weights_from_fit": "saved"},
            "load_weights_from_fit: no file of weights, or an empty one (and 1 others), g",
        ),
        ({"load": "empty.h5"}, "load: no file of weights, or an empty one, given "),
        ({"load": "a.h5", "load_weights_from_fit": "b"}, "load_weights_from_fit: does not go with load"),
        ({"load": 3}, "load: must be text that is not empty, given 3"),
        ({"save": "a/b.h5"}, "save: must be a name, given 'a/b.h5'"),
        ({"maxcores": 0}, "maxcores: is out of range, given 0"),
    ],
)
def test_weights_that_are_not_there(hyperparton, write_card, tmp_path, keys, told):
    for name, text in (("fit", "a: 1\n"), ("saved", "save: x.h5\n")):
        (tmp_path / name / "nnfit").mkdir(parents=True)
        (tmp_path / name / "filter.yml").write_text(text)
    (tmp_path / "empty.h5").write_bytes(b"")
    code, out, err = hyperparton("fit", write_card(**keys), "--replicas", 2, "--output", tmp_path / "out")
    assert (code, out) == (1, "")
    assert told in err
    assert not (tmp_path / "out").exists()


def test_replicas_of_two_cards_are_not_mixed(hyperparton, write_card, tmp_path):
    folder = tmp_path / "out"
    assert hyperparton("fit", write_card(), "--replica", 1, "--output", folder)[0] == 0
    before = files_of(folder, 1)
    other = write_card("other", trvlseed=4)
    code, _, err = hyperparton("fit", other, "--replica", 2, "--output", folder)
    assert code == 1
    assert "holds replica_1, of another card" in err
    assert files_of(folder, 1) == before
    assert not (folder / "nnfit" / "replica_2").exists()
    # the replica itself can be fitted again
    assert hyperparton("fit", other, "--replica", 1, "--output", folder)[0] == 0
    assert files_of(folder, 1) != before
