"""Theory cards that can be computed, and what is said of those that cannot."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from hyperparton.data.commondata import THEORY_CARDS
from hyperparton.data.theory_folder import SHIPPED
from hyperparton.errors import TheoryError
from hyperparton.theory.card import read_card


def _write(tmp_path, **changes):
    raw = YAML(typ="safe").load((THEORY_CARDS / "40000000.yaml").read_text(encoding="utf-8"))
    raw.update({key: value for key, value in changes.items() if value is not ...})
    for key in [key for key, value in changes.items() if value is ...]:
        del raw[key]
    path = tmp_path / "card.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(raw, stream)
    return path


@pytest.mark.parametrize(
    ("card", "theoryid", "light", "massive"),
    [("40_000_000", 40000000, 2, 2), ("40000000", 40000000, 2, 2), (208, 208, 1, 2)],
)
def test_cards_of_nnpdf_data(card, theoryid, light, massive):
    read = read_card(card)
    assert (read.theoryid, read.light_order, read.massive_order, read.q0) == (theoryid, light, massive, 1.65)
    assert read.threshold(5) == pytest.approx(4.92**2)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("theory_*/theory_card.yaml")), ids=lambda path: path.parent.name)
def test_a_shipped_card_is_nnpdfs_with_keys_added(path):
    shipped, original = read_card(path), read_card(read_card(path).theoryid)
    differing = {key for key, value in original.raw.items() if shipped.raw.get(key) != value}
    assert differing <= {"alphaqed"}  # enters nothing that is computed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"IC": 0}, "IC: 0 is not supported, accepted: 1"),
        ({"FNS": "ZM-VFNS"}, "FNS: 'ZM-VFNS' is not supported, accepted: 'FONLL-A', 'FONLL-B', 'FONLL-C'"),
        ({"PTO": 1}, "PTO: 1 does not go with FNS FONLL-C, accepted: 2"),
        ({"HQ": "MSBAR"}, "HQ: 'MSBAR' is not supported, accepted: 'POLE'"),
        ({"ModEv": "EXA"}, "ModEv: 'EXA' is not supported, accepted: 'TRN'"),
        ({"XIF": 2.0}, "XIF: 2.0 is not supported, accepted: 1.0"),
        ({"XIR": 0.5}, "XIR: 0.5 is not supported"),
        ({"QED": 2}, "QED: 2 is not supported"),
        ({"DAMP": 1}, "DAMP: 1 is not supported"),
        ({"TMC": 3}, "TMC: 3 is not supported, accepted: 1, 0"),
        ({"kbThr": 2.0}, "kbThr: 2.0 is not supported"),
        ({"Q0": 1.0}, "Q0: must lie between mc = 1.51 and mb = 4.92 GeV, given 1.0"),
        ({"mt": 4.0}, "mt: must be greater than mb = 4.92 GeV, given 4.0"),
        ({"FNS": ["FONLL-C"]}, "FNS: ['FONLL-C'] is not supported, accepted: 'FONLL-A'"),
        ({"alphas": -0.118}, "alphas: must be greater than 0, given -0.118"),
        ({"ID": 1.5}, "ID: must be a whole number that is not negative, given 1.5"),
        ({"MZ": float("nan")}, "MZ: must be a number, given nan"),
        ({"mc": "heavy"}, "mc: must be a number, given 'heavy'"),
        ({"MZ": 10**400}, "MZ: must be a number, given 1000"),
        ({"CKM": [1.0, 2.0]}, "CKM: must be the 9 numbers of the matrix"),
        ({"alphas": ...}, "alphas: is missing"),
    ],
)
def test_what_is_not_supported_is_named_with_file_and_key(tmp_path, changes, said):
    path = _write(tmp_path, **changes)
    with pytest.raises(TheoryError) as caught:
        read_card(path)
    assert f"{path}: {said}" in str(caught.value)


def test_all_faults_at_once(tmp_path):
    with pytest.raises(TheoryError) as caught:
        read_card(_write(tmp_path, IC=0, QED=1, XIR=2.0))
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(("text", "said"), [("[1, 2]", "is not a mapping"), ("a: [1", "cannot be read as YAML")])
def test_a_file_that_is_no_card(tmp_path, text, said):
    path = tmp_path / "card.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TheoryError, match=said):
        read_card(path)


@pytest.mark.parametrize(
    ("card", "said"), [("2080", "no theory card 2080 .did you mean '208'"), ("nothing.yaml", "no theory card")]
)
def test_a_card_that_is_not_there(card, said):
    with pytest.raises(TheoryError, match=said):
        read_card(card)
