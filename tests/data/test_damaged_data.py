"""Damaged files of a data set: each is a DataError that names the set, the file and what is wrong in it."""

import gc
import re
import shutil

import pytest

from hyperparton.data import commondata
from hyperparton.data.commondata import find_metadata, load_commondata
from hyperparton.errors import DataError

SET = "SLAC_NC_NOTFIXED_P_EM-F2"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A copy of the set's folder, which is read in place of nnpdf-data's: what is in it -> file."""
    metadata = find_metadata(SET, "legacy_dw")
    folder = tmp_path / "SLAC_NC_NOTFIXED_P"
    shutil.copytree(metadata.path_kinematics.parent, folder)
    monkeypatch.setattr(commondata, "DEFAULT_PATH_VPDATA", tmp_path)
    found = {"metadata": folder / "metadata.yaml", "kinematics": folder / metadata.path_kinematics.name}
    found["central values"] = folder / metadata.path_data_central.name
    found["uncertainties"] = folder / metadata.paths_uncertainties[0].name
    return found


def load():
    return load_commondata(find_metadata(SET, "legacy_dw"))


@pytest.mark.parametrize("what", ["metadata", "central values", "kinematics", "uncertainties"])
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: b"", "cannot be read: "),
        (lambda text: b"\xff\xfe" + text, "cannot be read: UnicodeDecodeError: "),
        (lambda text: b"\0" * 50 + text, "cannot be read: "),
        (lambda text: b"a: [1\n" + text, "cannot be read: line "),
        (lambda text: b"- 1\n- 2\n", "cannot be read: "),
        (lambda text: text[: len(text) // 3], ""),
        (lambda text: None, "cannot be read: No such file"),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_files_that_are_damaged(files, what, damage, told):
    path = files[what]
    content = damage(path.read_bytes())
    path.write_bytes(content) if content is not None else path.unlink()
    gone = content is None and what == "metadata"
    with pytest.raises(DataError, match=f"unknown data set '{SET}'" if gone else f"{SET}.*{told}") as raised:
        load()
    gc.collect()  # nnpdf-data leaves metadata open that it refuses
    if "cannot be read" in told and not gone:
        assert f"the {what} {path} cannot be read" in str(raised.value)


@pytest.mark.parametrize(
    ("what", "change", "told"),
    [
        ("central values", (r"- 0\.\d+", "- .nan"), "ValueError: 'nan' is no number"),
        ("central values", (r"- 0\.\d+", "- 1e308"), "ValueError: '1e.308' is no number below 1e.150"),
        ("central values", (r"- 0\.\d+", "- half"), "ValueError: 'half' is no number"),
        ("central values", (r"- 0\.\d+", "- [1.0, 2.0]"), "no number|inhomogeneous"),
        ("central values", (r"- 0\.\d+", "- null"), "ValueError: 'None' is no number"),
        ("central values", (r"- 0\.\d+\n", ""), "has 211 points by its metadata but 210 central values"),
        ("kinematics", (r"mid: \S+", "mid: low"), "ValueError: 'low' is no number"),
        ("kinematics", (r"mid: \S+", "middle: 1"), "KeyError: 'mid'"),
        ("uncertainties", (r"(stat|sys\w*): -?\d\S+", r"\1: 1_x"), "ValueError: '1_x' is no number"),
        ("uncertainties", (r"treatment: \w+", "treatment: SUB"), "is SUB of type .*; a treatment is ADD or MULT"),
        ("uncertainties", (r"type: \w+", "type: [1]"), r"of type \[1\]"),
    ],
)
def test_entries_that_are_damaged(files, what, change, told):
    path = files[what]
    text, count = re.subn(*change, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)
    with pytest.raises(DataError, match=f"{re.escape(SET)}.*{told}"):
        load()


def test_a_copy_that_is_whole(files):
    assert load().ndata == 211
