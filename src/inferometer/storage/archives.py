"""Archives that travel: content, whatever links lead to it here, unpacked where nothing of it can lie elsewhere."""

from __future__ import annotations

import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from inferometer.errors import StoreError, UsageError


def members(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield a file, or a folder and all in it, with their names in an archive: a link is what it leads to.

    UsageError for what has no content: a link that leads nowhere, or to a folder around it, a pipe.
    """
    yield from _members(path.name, path, frozenset())


def _members(name: str, path: Path, around: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
    try:
        found = path.stat()
        inside = sorted(path.iterdir()) if stat.S_ISDIR(found.st_mode) else []
    except OSError as error:
        link = f" is a link to {path.readlink()}, which" if path.is_symlink() else ""
        raise UsageError(f"{path}{link} cannot be read ({error.strerror}); mend it or take it out") from error
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise UsageError(f"{path} is neither a file nor a folder; take it out")
    itself = found.st_dev, found.st_ino
    if itself in around:
        raise UsageError(f"{path} is a link to a folder that it lies in, which has no end; take it out")
    yield name, path
    for inner in inside:
        yield from _members(f"{name}/{inner.name}", inner, around | {itself})


def info_of(name: str, path: Path) -> tarfile.TarInfo:
    """Return what an archive says of a member: nothing of links, owners, times and umask, so that equal content gives equal bytes.

    Not tarfile's own, which makes a link of the second name of one file.
    """
    found, info = path.stat(), tarfile.TarInfo(name)
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    else:
        info.size = found.st_size
    info.mode = 0o755 if info.isdir() or found.st_mode & 0o100 else 0o644  # as any umask leaves it
    return info


def add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    """Append one member."""
    info = info_of(name, path)
    if info.isdir():
        archive.addfile(info)
        return
    with path.open("rb") as file:
        archive.addfile(info, file)


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack an archive of ``name`` into a folder; StoreError for what is none, or has a member that would lie outside."""
    try:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        told = " ".join(str(error).split())
        raise StoreError(f"{name} cannot be unpacked: {told}; pack it again, or send it again") from error


def unpack_content(archive: Path, folder: Path, name: str) -> None:
    """Unpack an archive of the folder ``name`` so that its content is that of ``folder``."""
    unpack(archive, folder, name)
    inner = folder / name
    for path in inner.iterdir():
        path.rename(folder / path.name)
    inner.rmdir()
