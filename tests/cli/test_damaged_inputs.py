"""Damaged PDF sets, theories and weights given to the command line: an error in a sentence, no traceback."""

import runpy
from pathlib import Path
from shutil import copytree

import pytest

from hyperparton.data.pdfsets import SHIPPED_SET, find_pdfset
from hyperparton.data.theory_folder import SHIPPED

DAMAGES = runpy.run_path(str(Path(__file__).parent.parent.parent / "benchmarks" / "damaged_inputs.py"))
CARD = Path(__file__).parent.parent.parent / "examples" / "dis_small.yml"


@pytest.fixture
def pdfset(tmp_path, monkeypatch):
    """A copy of the set that ships, named mine."""
    path = Path(copytree(find_pdfset(SHIPPED_SET).path, tmp_path / "lha" / "mine"))
    for file in list(path.iterdir()):
        file.rename(path / file.name.replace(SHIPPED_SET, "mine"))
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(path.parent))
    return path


@pytest.mark.parametrize("command", [("fit",), ("scan", "--trials", 1)])
def test_a_pdf_set_without_an_entry(hyperparton, pdfset, tmp_path, command):
    info = pdfset / "mine.info"
    info.write_text("\n".join(line for line in info.read_text().split("\n") if not line.startswith("SetIndex")))
    code, out, err = hyperparton(*command, CARD, "--t0pdfset", "mine", "-o", tmp_path / "out")
    assert code == (6 if "scan" in command else 1)
    assert f"{info}:1:1: the .info of a PDF set lacks SetIndex, accepted: a whole number from 0" in err
    assert "Traceback" not in out + err


def test_every_fault_of_a_pdf_set_is_a_line_with_its_place(hyperparton, pdfset, tmp_path):
    info = pdfset / "mine.info"
    info.write_text("SetDesc: mine\n")
    card = tmp_path / "card.yml"
    card.write_text(CARD.read_text().replace(SHIPPED_SET, "mine"))
    code, out, err = hyperparton("check", card)
    told = [line for line in (out + err).splitlines() if "the .info of a PDF set lacks" in line]
    assert code == 1
    assert len(told) == 8
    assert all(line.startswith(f"{card}:11:13: datacuts.t0pdfset: {info}:1:1: the .info") for line in told)


def test_a_pdf_set_with_a_damaged_member(hyperparton, pdfset, tmp_path):
    data = pdfset / "mine_0000.dat"
    data.write_text(data.read_text()[:-1000])
    code, out, err = hyperparton("fit", CARD, "--t0pdfset", "mine", "-o", tmp_path / "out")
    assert code == 1
    assert f"{data}:1389: cut off: each grid ends with a line `---`" in err
    assert "Traceback" not in out + err


def test_every_damaged_table_is_told_at_once(hyperparton, tmp_path):
    theory = tmp_path / "theory_40000000"
    copytree(SHIPPED / "theory_40000000", theory)
    spoilt = [theory / "fastkernel" / f"{name}.pineappl.lz4" for name in ("SLAC_NC_EM_P_F2", "BCDMS_NC_100GEV_EM_P_F2")]
    for path in spoilt:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 16
        path.write_bytes(content)
    code, out, err = hyperparton("fit", CARD, "--theory", theory, "-o", tmp_path / "out")
    assert code == 1
    for path in spoilt:
        assert f"{path} is not the file of the manifest: its SHA-256 differs" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("kind", DAMAGES["KINDS"])
def test_random_damage(kind):
    """Twenty of the damages of `benchmarks/damaged_inputs.py`: none is a traceback, a panic, an abort or a hang."""
    outcomes, faults = DAMAGES["attack"](kind, 20, 18, False)
    assert faults == []
    assert sum(outcomes.values()) == 20
    assert outcomes["refused"] > 0


def test_weights_that_are_damaged(hyperparton, tmp_path):
    damaged = tmp_path / "w.weights.h5"
    damaged.write_bytes((Path(__file__).parent.parent / "oracle/data/weights/dense.weights.h5").read_bytes()[:-9000])
    code, out, err = hyperparton("fit", CARD, "--load", damaged, "-o", tmp_path / "out")
    assert code == 1
    assert f"{damaged}: cannot be read as HDF5" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("command", [("list",), ("check",)])
def test_a_damaged_manifest(hyperparton, tmp_path, command):
    theory = tmp_path / "theory_40000000"
    copytree(SHIPPED / "theory_40000000", theory)
    manifest = theory / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"limits"', '"limit"'))
    code, out, err = hyperparton("theory", *command, theory)
    assert code == (0 if command == ("list",) else 1)
    assert f"{manifest} is damaged: `builds` must name the limits" in out + err
    assert "Traceback" not in out + err
