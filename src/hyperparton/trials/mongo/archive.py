"""A folder as a `.tar.gz` and back, without trust in what the archive says."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from hyperparton.errors import StoreError
from hyperparton.files import part_of, replacing

__all__ = ["pack_folder", "unpack_folder"]


def pack_folder(folder: Path, archive: Path) -> None:
    """Pack what is in `folder` into `archive`, which is replaced atomically; raises StoreError."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: is no folder, so there is nothing to archive")
    try:
        with replacing(archive, alone=True) as new, tarfile.open(fileobj=new, mode="w:gz") as tar:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():  # sockets and locks of a server are left out
                    tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
    except OSError as fault:
        raise StoreError(f"{archive}: cannot be written: {fault.strerror}") from fault


def unpack_folder(archive: Path, folder: Path) -> None:
    """Unpack `archive` into the new `folder`; raises StoreError if it is damaged or names anything outside.

    Only plain files and folders below `folder` are made, owned by the user, and none that is there already is written
    to. Nothing is put in place unless all of it could be unpacked.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar, part_of(folder, alone=True) as new:
            members = tar.getmembers()
            for member in members:
                _check(archive, member)
            new.mkdir(mode=0o700)
            for member in members:
                _unpack(tar, member, new)
    except (tarfile.TarError, EOFError) as fault:
        raise StoreError(f"{archive}: damaged: {fault}") from fault
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise StoreError(f"{archive}: cannot be unpacked into {folder}: {fault.strerror or fault}") from fault


def _check(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise StoreError(f"{archive}: holds {member.name!r}, which lies outside its folder; nothing was unpacked")
    if not (member.isreg() or member.isdir()):
        raise StoreError(f"{archive}: holds {member.name!r}, which is no plain file; nothing was unpacked")


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = folder.joinpath(*PurePosixPath(member.name).parts)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = tar.extractfile(member)
    assert source is not None
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
