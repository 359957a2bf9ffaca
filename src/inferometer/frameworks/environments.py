"""A virtual environment per backend, built by uv from a lock of pinned requirements and keyed by their hash.

Frameworks break each other when installed together, so none shares an environment with another. Building is locked and
atomic: two runs at once share one build, and a half-built environment is never seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from inferometer.errors import EnvironmentBuildError, UsageError
from inferometer.frameworks import installer, locks
from inferometer.frameworks.installed import contents_of, damage_in, difference, gone, installed_in, pinned
from inferometer.frameworks.requirements import Requirements
from inferometer.storage import build
from inferometer.storage.cache import cache_folder

_FACTS = "inferometer.json"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Installed:
    """What an installation did besides putting the pinned packages there."""

    source: str = ""  # which build of torch was taken, where the requirements care
    borrowed: Mapping[str, str] = field(
        default_factory=dict
    )  # packages of another interpreter, in its versions


Install = Callable[[Requirements, Path, Path], Installed]  # requirements, the venv, the log


@dataclass(frozen=True)
class Environment:
    """An interpreter with a framework in it."""

    name: str
    python: Path
    given: bool = False  # the user's own interpreter, not built here
    pins: str = ""  # the requirement lines, or "" where given
    facts: Mapping[str, Any] = field(default_factory=dict)  # how it was built

    def library_paths(self) -> list[str]:
        """Return the CUDA library folders of its NVIDIA wheels (TensorFlow's own search for them is broken)."""
        root = self.python.parent.parent / "lib"
        return sorted(str(path) for path in root.glob("python*/site-packages/nvidia/*/lib") if path.is_dir())


def environments_folder() -> Path:
    """Return where the built environments lie."""
    return cache_folder("environments")


def locate(wanted: Requirements) -> Path:
    """Return the folder that an environment with these requirements has, built or not."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}" if not wanted.python else wanted.python
    lock = (hashlib.sha256(wanted.lock.encode()).hexdigest(),) if wanted.lock else ()
    text = "\n".join((*wanted.lines, wanted.torch_backend, version, *lock))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return environments_folder() / f"{wanted.name}-{wanted.accelerator}-{digest}"


def is_built(wanted: Requirements) -> bool:
    """Return whether the environment is there, whole."""
    return (locate(wanted) / _FACTS).exists() and not _flaw(wanted)


def _flaw(wanted: Requirements) -> str:
    return _flaw_of(locate(wanted))


def _flaw_of(folder: Path) -> str:
    """Return why a folder of the cache is not whole, "" if it is.

    Its interpreter is a link into a Python that may be gone; its packages are those that its build left, at least those wanted.
    """
    try:
        facts = json.loads((folder / _FACTS).read_text())
        expected = {**pinned(facts["requirements"]), **facts.get("installed", {})}
        contents = frozenset(facts.get("contents", ()))
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        return f"its {_FACTS} cannot be read ({error})"
    if not _python(folder).exists():
        return "its Python is gone"
    return difference(expected, installed_in(folder)) or gone(contents, folder)


def _from_registry(wanted: Requirements, folder: Path, log: Path) -> Installed:
    return Installed(installer.install(wanted, folder, log))


def ensure(
    wanted: Requirements, log: Path, progress: Progress, install: Install = _from_registry
) -> Environment:
    """Return the environment, building it first if need be; EnvironmentBuildError with the cause and the remedy."""
    folder = locate(wanted)

    def make(partial: Path) -> None:
        if folder.exists():
            progress(
                f"environment {folder.name} in the cache is not whole: {_flaw(wanted)}; it is built anew"
            )
        progress(f"building environment {wanted.name} ({', '.join(wanted.lines)})")
        _build(wanted, partial, log, install)

    try:
        build.build_once(folder, make, lambda: is_built(wanted))
        build.mark_used(folder)
    except OSError as error:
        raise EnvironmentBuildError(
            f"cannot build environment '{wanted.name}' in {folder.parent}: {error.strerror}"
        ) from error
    return _built(wanted.name, folder)


def _built(name: str, folder: Path) -> Environment:
    facts = json.loads((folder / _FACTS).read_text())
    return Environment(name, _python(folder), pins="\n".join(facts["requirements"]), facts=facts)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _build(wanted: Requirements, folder: Path, log: Path, install: Install) -> None:
    interpreter = find_interpreter(wanted)
    installer.make_venv(wanted, interpreter, folder, log)
    done = install(wanted, folder, log)
    installed = installed_in(folder)
    own = {name: version for name, version in installed.items() if name not in done.borrowed}
    unlike = locks.unlike(wanted.lock, own) if wanted.lock else ""
    if lack := difference({**pinned(wanted.lines), **done.borrowed}, installed) or unlike:
        raise EnvironmentBuildError(
            f"cannot build environment '{wanted.name}': uv said that it installed it, but {lack} (log: {log}); run again, or "
            f"give an interpreter that has the framework: --python {wanted.name}=PATH"
        )
    facts = {
        "requirements": wanted.lines,
        "torch_source": done.source,
        "python": interpreter,
        "installed": installed,
        "contents": contents_of(folder),
        "locked": bool(wanted.lock) and not done.borrowed,
        "borrowed": dict(done.borrowed),
    }
    (folder / _FACTS).write_text(json.dumps(facts))


def find_interpreter(wanted: Requirements) -> str:
    """Return a Python of this host that suits the requirements; EnvironmentBuildError if there is none."""
    if not wanted.python:
        return sys.executable
    found = installer.find_python(wanted.python)
    if found is None:
        raise EnvironmentBuildError(
            f"environment '{wanted.name}' needs Python {wanted.python}, and none is installed; "
            f"install one, or give --python {wanted.name}=PATH"
        )
    return found


@dataclass(frozen=True)
class InstalledEnvironment:
    """One folder of the environments' cache."""

    name: str
    folder: Path
    requirements: tuple[str, ...]
    used_at: float  # when it was last asked for, seconds since the epoch

    @property
    def size_bytes(self) -> int:
        """Return what all its files have; of several gigabytes that takes a second, so only who shows it asks."""
        return _size(self.folder)

    @property
    def is_whole(self) -> bool:
        """Return False where packages or the Python that it was made of are gone."""
        return not _flaw_of(self.folder)


def list_installed() -> list[InstalledEnvironment]:
    """Return every built environment, by name."""
    return [
        InstalledEnvironment(
            facts.parent.name,
            facts.parent,
            _pins_of(facts),
            facts.parent.stat().st_mtime,
        )
        for facts in sorted(environments_folder().glob(f"*/{_FACTS}"))
        if not build.is_partial(facts.parent)
    ]


def _pins_of(facts: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads(facts.read_text())["requirements"])
    except (OSError, ValueError, KeyError, TypeError):
        return ("cannot be read: built anew when used",)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def verify(folder: Path) -> str:
    """Return why a built environment is not what was installed, reading all of it; "" if it is."""
    return _flaw_of(folder) or damage_in(folder)


def remove(folder: Path) -> None:
    """Delete a built environment; waits for a build of it to end. UsageError while a process runs in it."""
    if user := _user_of(folder):
        raise UsageError(f"environment {folder.name} is in use by process {user}; wait for it or stop it")
    build.remove_built(folder)


def remove_partial() -> list[Path]:
    """Delete what killed builds left behind, but nothing that is being built; return the folders."""
    return build.remove_partial(environments_folder())


def _user_of(folder: Path) -> int | None:
    """Return a process that was started from an environment's interpreter, if there is one."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"]
        if command and command[0].startswith(f"{folder}{os.sep}"):
            return int(process.pid)
    return None


__all__ = [
    "Environment",
    "Installed",
    "InstalledEnvironment",
    "ensure",
    "environments_folder",
    "find_interpreter",
    "is_built",
    "list_installed",
    "locate",
    "remove",
    "remove_partial",
    "verify",
]
