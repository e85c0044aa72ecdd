"""Finding a theory: the order of folders, its card, and what is missing from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil

import numpy as np
import pytest

from hyperparton.data.commondata import FKOperands
from hyperparton.data.fktables import load_observable
from hyperparton.data.manifest import MANIFEST
from hyperparton.data.theory_folder import ENVIRONMENT, SHIPPED, TABLE_SUFFIX, find_theory, missing_tables
from hyperparton.errors import TheoryError

CARD = "ID: 40000000\nPTO: 2\nFNS: FONLL-C\nIC: 1\n"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def make(folder, card=CARD, number=40_000_000):
    path = folder / f"theory_{number}"
    (path / "fastkernel").mkdir(parents=True)
    if card is not None:
        (path / "theory_card.yaml").write_text(card)
    return path


def test_the_theory_that_ships():
    theory = find_theory(40_000_000)
    assert theory.source.path == SHIPPED / "theory_40000000"
    assert theory.source.origin == "shipped with hyperparton"
    assert (theory.card["ID"], theory.card["FNS"], theory.card["PTO"]) == (40_000_000, "FONLL-C", 2)
    assert theory.table("NMC_NC_EM_P_F2").is_file()


def test_a_folder_goes_first_then_the_environment(tmp_path, monkeypatch):
    given, first, second = (make(tmp_path / name) for name in ("given", "first", "second"))
    assert find_theory(40_000_000, given).source.path == given
    assert find_theory(40_000_000, given.parent).source.path == given
    assert find_theory(40_000_000, str(given)).source.origin == "--theory"
    monkeypatch.setenv(ENVIRONMENT, os.pathsep.join(map(str, ("", tmp_path / "none", second.parent, first))))
    found = find_theory(40_000_000)
    assert (found.source.path, found.source.origin) == (second, ENVIRONMENT)
    assert found.searched == (tmp_path / "none" / "theory_40000000", second)
    assert find_theory(40_000_000, given).source.path == given


def test_a_folder_without_the_theory_is_not_passed_over(tmp_path):
    with pytest.raises(TheoryError, match=rf"theory 40000000 is not there; searched: {tmp_path}") as told:
        find_theory(40_000_000, tmp_path)
    assert str(SHIPPED) not in str(told.value)


def test_a_theory_that_is_nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    with pytest.raises(TheoryError) as told:
        find_theory(708)
    for part in (str(tmp_path / "theory_708"), str(SHIPPED / "theory_708"), "--theory", ENVIRONMENT, "40000000"):
        assert part in str(told.value)
    assert isinstance(told.value, FileNotFoundError)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("ID: 200\nPTO: 2\nFNS: FONLL-C\nIC: 1\n", "is of theory 200, the runcard asks for 40000000"),
        ("ID: 40000000\nPTO: 2\n", "lacks FNS, IC"),
        ("", "lacks PTO, FNS, IC, ID"),
        ("[1, 2]\n", "lacks PTO, FNS, IC, ID"),
        ("just words\n", "lacks PTO, FNS, IC, ID"),
        (CARD.replace("40000000", "four"), "is of theory four"),
        (CARD.replace("40000000", "[1]"), r"is of theory \[1\]"),
        ("a: [1\n", "cannot be read"),
        ("a: b: c\n", "cannot be read"),
        ("\x00\x01", "cannot be read"),
        (f"ID: 0x{'F' * 5000}\n", "cannot be read"),
    ],
)
def test_bad_cards(tmp_path, card, message):
    make(tmp_path, card)
    with pytest.raises(TheoryError, match=f"theory card .*theory_card.yaml.* {message}"):
        find_theory(40_000_000, tmp_path)


@pytest.mark.parametrize("change", [("PTO: 2", "PTO: two"), ("FNS: FONLL-C", "FNS: [1]"), ("IC: 1", "IC:")])
def test_cards_with_entries_of_another_kind(tmp_path, change):
    make(tmp_path, CARD.replace(*change))
    with pytest.raises(TheoryError, match=rf"theory_card\.yaml: {change[0][:2]}.* must be "):
        find_theory(40_000_000, tmp_path)


def test_a_card_that_is_no_text(tmp_path):
    (make(tmp_path) / "theory_card.yaml").write_bytes(b"ID: \xff\xfe\n")
    with pytest.raises(TheoryError, match="cannot be read"):
        find_theory(40_000_000, tmp_path)


def test_the_card_of_nnpdf_data_where_there_is_none(tmp_path):
    make(tmp_path, card=None, number=708)
    assert find_theory(708, tmp_path).card["ID"] == 708
    make(tmp_path, card=None, number=123456)
    with pytest.raises(TheoryError, match=r"has no theory card, neither .* nor 123456\.yaml in nnpdf-data"):
        find_theory(123456, tmp_path)


def test_tables_of_the_old_format(tmp_path):
    path = make(tmp_path) / "fastkernel"
    (path / "FK_NMC.dat").touch()
    with pytest.raises(TheoryError, match=r"old format, such as FK_NMC\.dat, .* accepted are PineAPPL's tables"):
        find_theory(40_000_000, tmp_path)
    (path / f"NMC{TABLE_SUFFIX}").touch()
    assert find_theory(40_000_000, tmp_path).source.path == path.parent


@pytest.mark.parametrize("ending", [".tgz", ".tar.gz"])
def test_a_theory_that_is_packed(tmp_path, ending):
    packed = tmp_path / f"theory_708{ending}"
    packed.touch()
    for given in (tmp_path, packed):
        with pytest.raises(TheoryError, match=re.escape(f"{packed} is: unpack it with tar -xf, and give the folder")):
            find_theory(708, given)


def test_a_folder_of_nobodys_home(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "~nobody_of_that_name/theories")
    with pytest.raises(TheoryError, match="searched: ~nobody_of_that_name/theories/theory_708"):
        find_theory(708)


@pytest.fixture
def built(tmp_path):
    """A copy of the theory that ships with one table."""
    source, path = SHIPPED / "theory_40000000", tmp_path / "theory_40000000"
    (path / "fastkernel").mkdir(parents=True)
    for name in ("theory_card.yaml", MANIFEST, f"fastkernel/INTEGXT3{TABLE_SUFFIX}"):
        shutil.copy(source / name, path / name)
    return path


def load(folder):
    operands = FKOperands((("INTEGXT3",),), "NULL", 1.0, {}, {})
    return load_observable("SET", operands, find_theory(40_000_000, folder)).tables[0].values


@pytest.mark.parametrize("place", [0, 200, 500, -1])
def test_a_bit_of_a_table_that_flipped(built, place):
    whole = load(built)
    assert whole.any()
    path = built / "fastkernel" / f"INTEGXT3{TABLE_SUFFIX}"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(TheoryError, match=rf"INTEGXT3{TABLE_SUFFIX} is not the file of the manifest"):
        load(built)
    content[place] ^= 1
    path.write_bytes(content)
    np.testing.assert_array_equal(load(built), whole)


def test_a_table_that_the_manifest_does_not_name(built):
    manifest = built / MANIFEST
    manifest.write_text(manifest.read_text().replace('"INTEGXT3"', '"OTHER"'))
    with pytest.raises(TheoryError, match=r"is not in manifest\.json, which lists the tables that were built"):
        load(built)
    manifest.unlink()
    assert load(built).any()


def test_a_card_that_is_not_that_of_the_tables(built):
    card = built / "theory_card.yaml"
    card.write_text(card.read_text().replace("PTO: 2", "PTO: 1"))
    with pytest.raises(TheoryError, match="is not the one that the tables were built with"):
        find_theory(40_000_000, built)


def test_a_theory_that_cannot_be_written_to(built):
    whole = load(built)
    for path in (built, built / "fastkernel"):
        path.chmod(0o555)
    before = sorted(built.rglob("*"))
    np.testing.assert_array_equal(load(built), whole)
    assert sorted(built.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-200], r"manifest\.json is damaged"),
        (lambda text: "", r"manifest\.json is damaged"),
        (lambda text: "[" * 100_000, r"manifest\.json is damaged"),
        (lambda text: "[]", "not a manifest of format 1"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "not a manifest of format 1"),
        (lambda text: text.replace('"sha256": "', '"sha256": 1, "was": "'), "`tables` must name the sha256"),
        (lambda text: text.replace('"bytes"', '"byte"'), "`tables` must name the sha256"),
        (lambda text: text.replace('"q2min"', '"q2mim"'), "`builds` must name the limits"),
        (lambda text: text.replace('"limits": {', '"limits": [], "was": {'), "`builds` must name the limits"),
        (lambda text: text.replace('"card": "', '"card": 1, "was": "'), "`card` must be the sha256"),
    ],
)
def test_damaged_manifests(built, change, message):
    path = built / MANIFEST
    path.write_text(change(path.read_text()))
    with pytest.raises(TheoryError, match=message):
        find_theory(40_000_000, built)


def test_manifests_that_ship_name_their_tables_and_card():
    for folder in SHIPPED.glob("theory_*"):
        manifest = json.loads((folder / MANIFEST).read_text())
        files = {f"fastkernel/{name}{TABLE_SUFFIX}": entry["sha256"] for name, entry in manifest["tables"].items()}
        files["theory_card.yaml"] = manifest["card"]
        assert len(files) > 40
        for name, expected in files.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected


def test_what_is_missing_set_by_set(tmp_path):
    path = make(tmp_path)
    theory = find_theory(40_000_000, path)
    shutil.copy(SHIPPED / "theory_40000000" / "fastkernel" / f"INTEGXT3{TABLE_SUFFIX}", theory.table("A"))

    def tables(*names):
        return FKOperands((names,), "NULL", 1.0, {}, {})

    wanted = [("ONE", tables("A"), ()), ("TWO", tables("A", "B"), ("QCD",)), ("THREE", tables("B"), ())]
    assert missing_tables(theory, wanted) == [
        f"TWO: B{TABLE_SUFFIX}, CF_QCD_A.dat, CF_QCD_B.dat",
        f"THREE: B{TABLE_SUFFIX}",
    ]


def test_factors_of_the_theory_go_before_those_of_nnpdf_data(tmp_path):
    theory = find_theory(40_000_000, make(tmp_path))
    name = "NUTEV_CC_NU_FE_SIGMARED"
    assert theory.cfactor("MAS", name).is_file()
    own = theory.source.path / "cfactor" / f"CF_MAS_{name}.dat"
    assert theory.cfactor("MAS", name) != own
    own.parent.mkdir()
    own.write_text("")
    assert theory.cfactor("MAS", name) == own
