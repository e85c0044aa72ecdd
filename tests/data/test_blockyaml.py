"""The quick reader of number files against a YAML library and nnpdf-data's own loader."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnpdf_data import parse_new_metadata
from nnpdf_data.commondataparser import load_commondata as nnpdf_load
from nnpdf_data.utils import DEFAULT_PATH_VPDATA
from ruamel.yaml import YAML

from hyperparton.data.blockyaml import NotSimpleError, read_block, read_table, top_level
from hyperparton.data.commondata import find_metadata, load_commondata
from hyperparton.data.covmat import absolute_uncertainties


def _lines(text):
    return [line for line in text.split("\n") if line]


def _yaml(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize(
    "text",
    [
        "- x:\n    min: null\n    mid: 0.0045\n    max: null\n  Q2:\n    mid: 1.25\n- x:\n    mid: 1e-5\n",
        "a: 1\nb: -2.5e+3\nc: text with spaces\nd: 'quoted: text'\ne:\nf: 0 artificial\ng: 1e5\nh: .5\n",
        "key:\n- 1\n- 2.0\n- -3.5\nother:\n  - 4\n",
        'a: HC_sys1167"\nb: "double"\n',
    ],
)
def test_simple_blocks_read_as_yaml_reads_them(text):
    assert read_block(_lines(text)) == _yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: 1}",
        "a: [1, 2]",
        "a: &anchor 1",
        "a: *anchor",
        "a: |\n  text",
        "a: first line\n  second line",
        "a: 1 # comment",
        "a: yes",
        "a: 'it''s'",
        "a: 1\na: 2",
        "a: 0x1F",
        "a: 2001-01-01",
        "a: b: c",
        "a: 1\n   b: 2",
        "- 1\nb: 2",
        "a: 12_000",
        "? a",
        "-",
    ],
)
def test_everything_else_is_left_to_a_yaml_library(text):
    with pytest.raises(NotSimpleError):
        read_block(_lines(text))


_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
)
_numbers = st.one_of(st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False, width=32))


@given(st.lists(_names, min_size=1, max_size=5, unique=True), st.integers(1, 4), st.data())
def test_tables_read_as_yaml_reads_them(names, rows, data):
    values = [[data.draw(_numbers) for _ in names] for _ in range(rows)]
    lines = [
        f"{'- ' if place == 0 else '  '}{name}: {value!r}"
        for row in values
        for place, (name, value) in enumerate(zip(names, row, strict=True))
    ]
    read_names, table = read_table(list(lines))
    assert list(read_names) == names
    np.testing.assert_array_equal(table, np.array(values, dtype=float))
    as_yaml = [list(row.values()) for row in _yaml("\n".join(lines))]
    np.testing.assert_array_equal(table, np.array(as_yaml, dtype=float))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["- a: 1", "  b: 2", "- a: 3"],
        ["- a: 1", "  b: 2", "- b: 3", "  a: 4"],
        ["- a: null"],
        ["- a: .nan"],
        ["- a: inf"],
        ["- a: 1", "  a: 2"],
        ["a: 1"],
        ["- a: 1", "- b: 2"],
        ["- {a: 1}"],
        ["- a:1"],
    ],
)
def test_irregular_tables_are_left_to_a_yaml_library(lines):
    with pytest.raises(NotSimpleError):
        read_table(lines)


def test_top_level_splits_a_document_at_its_keys():
    assert top_level("a:\n- 1\n- 2\nb:\n  c: 1\n") == {"a": ["- 1", "- 2"], "b": ["  c: 1"]}
    for text in ("a: 1\n", "- 1\n", "# note\na:\n- 1\n", "a:\n- 1\na:\n- 2\n", "---\na:\n- 1\n"):
        with pytest.raises(NotSimpleError):
            top_level(text)


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("SLAC_NC_NOTFIXED_P_EM-F2", "legacy_dw"),  # additive, multiplicative and several types
        ("NUTEV_CC_NOTFIXED_FE_NB-SIGMARED", "legacy_dw"),  # another file of central values
        ("HERA_CC_318GEV_EP-SIGMARED", "legacy"),
        ("ATLAS_Z0J_8TEV_PT-Y", None),  # hadronic, bins given by their edges
        ("CMS_Z0J_8TEV_PT-Y", None),
        ("NNPDF_POS_2P24GEV_XUQ", None),
    ],
)
def test_data_sets_equal_those_of_the_loader_of_nnpdf_data(name, variant):
    ours = load_commondata(find_metadata(name, variant))
    folder, observable = name.rsplit("_", 1)
    theirs = nnpdf_load(parse_new_metadata(DEFAULT_PATH_VPDATA / folder / "metadata.yaml", observable, variant=variant))
    np.testing.assert_array_equal(ours.central, theirs.central_values)
    assert ours.process == theirs.commondataproc
    np.testing.assert_array_equal(ours.uncertainties.stat, theirs.stat_errors)
    errors = theirs.systematic_errors()
    columns, types = absolute_uncertainties(ours.uncertainties, ours.central)
    assert list(types) == list(errors.columns)
    np.testing.assert_allclose(columns, errors.to_numpy(dtype=float).reshape(columns.shape), rtol=1e-14)
    for variable, values in zip(theirs.kin_variables, theirs.kinematics.to_numpy(dtype=float).T, strict=True):
        if not variable.startswith("extra_"):
            np.testing.assert_allclose(ours.kinematics[variable], values, rtol=1e-15)
