"""A folder as a `.tar.gz` and back, without trust in what the archive says."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from io import BytesIO
from pathlib import Path, PurePosixPath

from hyperparton.errors import StoreError
from hyperparton.files import checksum, part_of, replacing

__all__ = ["pack_folder", "unpack_folder"]

#: the first file of an archive: the SHA-256 and name of each other, as `sha256sum --check` reads them
_MANIFEST = "SHA256SUMS"
_CHUNK = 1 << 20


def pack_folder(folder: Path, archive: Path) -> None:
    """Pack what is in `folder` into `archive`, which is replaced atomically; raises StoreError."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: is no folder, so there is nothing to archive")
    try:
        # sockets and locks of a server are left out
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        sums = "".join(f"{checksum(path)}  {name}\n" for name, path in names.items()).encode()
        with replacing(archive, alone=True) as new, tarfile.open(fileobj=new, mode="w:gz") as tar:
            manifest = tarfile.TarInfo(_MANIFEST)
            manifest.size = len(sums)
            tar.addfile(manifest, BytesIO(sums))
            for name, path in names.items():
                tar.add(path, name, recursive=False)
    except OSError as fault:
        raise StoreError(f"{archive}: cannot be written: {fault.strerror}") from fault


def unpack_folder(archive: Path, folder: Path) -> None:
    """Unpack `archive` into the new `folder`; raises StoreError if it is damaged or names anything outside.

    Only plain files and folders below `folder` are made, owned by the user, and none that is there already is written
    to. Nothing is put in place unless all of it could be unpacked, fits the checksum of gzip's format and, in archives
    that `pack_folder` made, the SHA-256 of each file.
    """
    try:
        _expect_whole(archive, folder)
        with tarfile.open(archive, "r:gz") as tar, part_of(folder, alone=True) as new:
            members = tar.getmembers()
            for member in members:
                _check(archive, member)
            new.mkdir(mode=0o700)
            for member in members:
                _unpack(tar, member, new)
            _compare(archive, new)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as fault:
        raise StoreError(f"{archive}: damaged: {fault}") from fault
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise StoreError(f"{archive}: cannot be unpacked into {folder}: {fault.strerror or fault}") from fault


def _expect_whole(archive: Path, folder: Path) -> None:
    """That an archive can be read to its end and fits its checksum, and that there is room for what it holds."""
    above = next(path for path in folder.absolute().parents if path.exists())
    free, total = shutil.disk_usage(above).free, 0
    with gzip.open(archive) as stream:
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            if total > free:
                raise StoreError(f"{archive}: holds more than the {free / 1e9:.1f} GB that are free for {folder}")


def _compare(archive: Path, folder: Path) -> None:
    """That the files that were unpacked are those of the archive's manifest, which is taken away, if it has one."""
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        return
    listed = {name: total for total, _, name in (line.partition("  ") for line in manifest.read_text().splitlines())}
    manifest.unlink()
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    wrong = sorted(name for name in listed.keys() | found.keys() if not _fits(listed.get(name), found.get(name)))
    if wrong:
        raise StoreError(f"{archive}: damaged: {', '.join(wrong[:5])} not as in its {_MANIFEST}; nothing was unpacked")


def _fits(total: str | None, path: Path | None) -> bool:
    return total is not None and path is not None and checksum(path) == total


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
