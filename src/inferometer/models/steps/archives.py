"""Zip archives of strangers: judged by their directory before anything in them is unpacked."""

from __future__ import annotations

import contextlib
import resource
import zipfile
from pathlib import Path

_LARGEST_RATIO = 50  # of unpacked to packed: weights hardly shrink
_SMALL_BYTES = 64 << 20  # that any archive may unpack to


def check_archive(path: Path, free_bytes: int) -> None:
    """Raise ValueError (one line) for a zip that is damaged, encrypted, or unpacks to far more than it is or than is free.

    Files that are no zip pass.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path.name} is a damaged archive: {error}") from error
    if any(member.flag_bits & 1 for member in members):
        raise ValueError(f"{path.name} is an encrypted archive; give one without a password")
    whole = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if whole > _SMALL_BYTES and (whole > free_bytes or whole > _LARGEST_RATIO * packed):
        raise ValueError(
            f"{path.name} unpacks to {whole / 2**30:.1f} GiB from {packed / 2**20:.0f} MiB, with "
            f"{free_bytes / 2**30:.0f} GiB of memory free: refused"
        )


def bound_memory(free_bytes: int) -> None:
    """Let allocations beyond ``free_bytes`` fail in this process, which is one line, where the kernel would kill it.

    Sizes inside a file are checked by nobody else: a program may ask for terabytes in a kilobyte. Linux only.
    """
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (free_bytes + pages * resource.getpagesize(), hard))
