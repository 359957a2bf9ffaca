"""Whole locks, `locks/<environment>/<accelerator>.txt`: every package of an environment with its version and the hashes of its files.

Written by `inferometer env lock` from the pins, for every Python and platform at once (markers choose); they name no registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "locks"
_PACKAGE = re.compile(r"^([\w.-]+)==([^\s;\\]+)")
_TORCH = re.compile(r"(?:torch|torchvision)==")  # which torch's own index has in builds for the CPU
_CUDA = re.compile(r"(?:nvidia|triton|cuda)\b")  # which only the default build of torch needs


def path_of(name: str, accelerator: str) -> Path:
    """Return where the lock of an environment lies."""
    return FOLDER / name / f"{accelerator}.txt"


def read_lock(name: str, accelerator: str) -> str:
    """Return the lock of an environment; "" where it has none."""
    path = path_of(name, accelerator)
    return path.read_text() if path.exists() else ""


def is_of_torch(line: str) -> bool:
    """Return whether a requirement is one that torch's own index has."""
    return _TORCH.match(line) is not None


def without_torch(lock: str) -> str:
    """Return a lock without torch and what only its build for GPUs needs."""
    kept = (entry for entry in entries(lock) if not _TORCH.match(entry) and not _CUDA.match(entry))
    return "".join(kept)


def unlike(lock: str, installed: Mapping[str, str]) -> str:
    """Return the first installed package that a lock does not have in that version, in words; "" if it has all.

    ``installed``: version by normalised name; a build ("2.15.0+cpu") stands for its version.
    """
    known: dict[str, set[str]] = {}
    for entry in entries(lock):
        if found := _PACKAGE.match(entry):
            known.setdefault(re.sub(r"[-_.]+", "-", found[1]).lower(), set()).add(found[2])
    for name, version in installed.items():
        if not {version, version.partition("+")[0]} & known.get(name, set()):
            locked = " or ".join(sorted(known.get(name, ()))) or "nothing of that name"
            return f"{name} {version} was installed where the lock has {locked}"
    return ""


def entries(lock: str) -> Iterator[str]:
    """Yield a lock's packages, each with its lines of hashes."""
    entry = ""
    for line in lock.splitlines(keepends=True):
        if entry and not line.startswith((" ", "\t")):
            yield entry
            entry = ""
        entry += line
    if entry:
        yield entry
