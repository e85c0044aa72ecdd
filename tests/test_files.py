"""Files: written whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os

import pytest

from hyperparton.errors import StoreError
from hyperparton.files import checksum, part_of, replacing, write_text


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, alone, fault):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_and_stop():
        with replacing(path, alone=alone) as stream:
            stream.write(b"half of the n")
            raise fault

    with pytest.raises(fault):
        write_and_stop()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_file_and_folder_are_on_disk_when_the_name_is(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append(os.readlink(f"/dev/fd/{file}")), sync(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append(str(new)), replace(old, new)))
    write_text(tmp_path / "new" / "file", "content")
    written, moved, folder = steps
    assert written.endswith(".part")
    assert (moved, folder) == (str(tmp_path / "new" / "file"), str(tmp_path / "new"))
    assert (tmp_path / "new" / "file").read_text() == "content"


def test_the_part_that_a_kill_left_is_written_over_by_the_only_writer(tmp_path):
    path = tmp_path / "file"
    (tmp_path / ".file.part").write_bytes(b"half")
    write_text(path, "by one of many")
    assert (tmp_path / ".file.part").is_file()
    with replacing(path, alone=True) as stream:
        stream.write(b"whole")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"whole")]


def test_a_folder_is_put_in_place_as_a_whole(tmp_path):
    with part_of(tmp_path / "folder") as part:
        part.mkdir()
        (part / "a").write_text("a")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "a").read_text() == "a"


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "a").touch()
    with pytest.raises(StoreError, match="file: cannot be written: Is a directory"):
        write_text(tmp_path / "file", "content")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_checksum_is_that_of_all_parts_in_a_row(tmp_path):
    (tmp_path / "file").write_bytes(b"\x00\xff")
    assert checksum("\u03c7", tmp_path / "file") == hashlib.sha256("\u03c7".encode() + b"\x00\xff").hexdigest()
