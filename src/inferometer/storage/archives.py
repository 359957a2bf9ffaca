"""Archives that travel, unpacked where nothing of them can lie elsewhere."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder; tarfile.TarError for a member that would lie outside."""
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")


def unpack_content(archive: Path, folder: Path, name: str) -> None:
    """Unpack an archive of the folder ``name`` so that its content is that of ``folder``."""
    unpack(archive, folder)
    inner = folder / name
    for path in inner.iterdir():
        path.rename(folder / path.name)
    inner.rmdir()
