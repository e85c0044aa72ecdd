"""A folder as a `.tar.gz` and back, without trust in what the archive says."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from hyperparton.errors import StoreError

__all__ = ["pack_folder", "unpack_folder"]


def pack_folder(folder: Path, archive: Path) -> None:
    """Pack what is in `folder` into `archive`, which is replaced atomically; raises StoreError."""
    new = archive.with_name(archive.name + ".new")
    try:
        if not folder.is_dir():
            raise StoreError(f"{folder}: is no folder, so there is nothing to archive")
        with tarfile.open(new, "w:gz") as tar:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():  # sockets and locks of a server are left out
                    tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(new, archive)
    except StoreError:
        raise
    except OSError as fault:
        raise StoreError(f"{archive}: cannot be written: {fault.strerror}") from fault


def unpack_folder(archive: Path, folder: Path) -> None:
    """Unpack `archive` into the new `folder`; raises StoreError if it is damaged or names anything outside.

    Only plain files and folders below `folder` are made, owned by the user, and none that is there already is written
    to. Nothing is put in place unless all of it could be unpacked.
    """
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = tar.getmembers()
            for member in members:
                _check(archive, member)
            new.mkdir(parents=True, mode=0o700)
            for member in members:
                _unpack(tar, member, new)
        if folder.is_dir():
            folder.rmdir()
        os.replace(new, folder)
    except (tarfile.TarError, EOFError) as fault:
        raise StoreError(f"{archive}: damaged: {fault}") from fault
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise StoreError(f"{archive}: cannot be unpacked into {folder}: {fault.strerror or fault}") from fault
    finally:
        shutil.rmtree(new, ignore_errors=True)


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
