"""The wheels of a lock for one machine: chosen by its markers, downloaded by pip, which checks their hashes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from inferometer.bundling.target import Target
from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks import locks
from inferometer.frameworks.installed import normalised
from inferometer.frameworks.installer import ALONE, uv_path

_PIP = "pip>=24"
_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
)  # whose registry is the user's, where pip is told none


@dataclass(frozen=True)
class Package:
    """A package of a lock."""

    name: str  # normalised
    version: str
    hashes: tuple[str, ...]  # "sha256:..." of every file that may be taken

    @property
    def line(self) -> str:
        """Return it as a line of a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def packages_of(lock: str, target: Target) -> list[Package]:
    """Return the packages of a lock that a machine needs."""
    from packaging.requirements import Requirement

    found = []
    for entry in locks.entries(lock):
        first, *hashes = entry.replace("\\\n", " ").split("--hash=")
        if first.lstrip().startswith("#") or not first.strip():
            continue
        requirement = Requirement(first.strip())
        version = next((each.version for each in requirement.specifier if each.operator == "=="), "")
        if requirement.marker is None or requirement.marker.evaluate(target.markers()):
            kept = tuple(each.strip() for each in hashes)
            found.append(Package(normalised(requirement.name), version, kept))
    return found


def parted(packages: Iterable[Package], left_out: Iterable[str]) -> tuple[list[Package], list[Package]]:
    """Return the packages that are carried, and those whose name one of the patterns is for ("nvidia-*")."""
    patterns = [normalised(pattern) for pattern in left_out]
    carried: list[Package] = []
    left: list[Package] = []
    for package in packages:
        (left if any(fnmatch(package.name, pattern) for pattern in patterns) else carried).append(package)
    return carried, left


def download(packages: Iterable[Package], target: Target, folder: Path) -> dict[str, Path]:
    """Download the packages' wheels into an empty folder and return them by package; EnvironmentBuildError with pip's cause."""
    wanted = list(packages)
    folder.mkdir(parents=True)
    listed = folder / "requirements.txt"
    listed.write_text("".join(f"{package.line}\n" for package in wanted))
    command = [
        uv_path(), *ALONE, "--quiet", "tool", "run", "--from", _PIP, "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
        "--ignore-requires-python",  # as uv does with an upper bound: the locks were made and measured with it
        "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--require-hashes", *target.pip_options(), "--dest", str(folder),
        "--requirement", str(listed),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_variables())
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr]
        raise EnvironmentBuildError(f"wheels cannot be downloaded: {' '.join(' '.join(said).split())[:400]}")
    listed.unlink()
    return {_package_of(path): path for path in sorted(folder.glob("*.whl"))}


def _package_of(wheel: Path) -> str:
    from packaging.utils import parse_wheel_filename

    return str(parse_wheel_filename(wheel.name)[0])


def _variables() -> dict[str, str]:
    index = next((os.environ[name] for name in _INDEX_VARIABLES if os.environ.get(name)), "")
    return {**os.environ, **({"PIP_INDEX_URL": index} if index and "PIP_INDEX_URL" not in os.environ else {})}
