"""Finding a theory: the order of folders, its card, and what is missing from it."""

from __future__ import annotations

import os
import shutil

import pytest

from hyperparton.data.commondata import FKOperands
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
    ],
)
def test_bad_cards(tmp_path, card, message):
    make(tmp_path, card)
    with pytest.raises(TheoryError, match=f"theory card .*theory_card.yaml.* {message}"):
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
