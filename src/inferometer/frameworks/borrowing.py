"""Packages of another interpreter of the same Python, linked into an environment: CUDA's libraries, for instance, are 1.5 GB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks.installed import site_packages

_TIMEOUT_S = 60.0
_CODE = """
import json, sys
from importlib.metadata import PackageNotFoundError, distribution
found = {}
for name in sys.argv[1:]:
    try:
        one = distribution(name)
    except PackageNotFoundError:
        continue
    files = [str(file) for file in one.files or ()]
    found[name] = {"version": one.version, "root": str(one.locate_file("")), "files": files}
print(json.dumps({"python": sys.version_info[:2], "found": found}))
"""


def borrow(python: Path, names: Iterable[str], environment: Path) -> dict[str, str]:
    """Link the files of packages of an interpreter into a virtual environment, and return each one's version.

    What the interpreter lacks is left out. EnvironmentBuildError where it is of another Python, or answers nothing.
    """
    answer = _ask(python, list(names))
    here = list(sys.version_info[:2])
    if answer["python"] != here:
        theirs = ".".join(map(str, answer["python"]))
        raise EnvironmentBuildError(
            f"--borrow {python} is Python {theirs}, the environments here are Python {here[0]}.{here[1]}; give one of that version"
        )
    found = {name: package for name, package in answer["found"].items() if package["files"]}
    site = site_packages(environment)
    assert site, f"{environment} is no virtual environment"
    for package in found.values():
        _link(Path(package["root"]), package["files"], environment, site)
    return {name: package["version"] for name, package in found.items()}


def _ask(python: Path, names: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, "-c", _CODE, *names], capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EnvironmentBuildError(
            f"--borrow {python} cannot be asked what it has ({type(error).__name__}); give the python of an environment"
        ) from error
    return answer


def _link(root: Path, files: Iterable[str], environment: Path, site: Path) -> None:
    """Link a package's files, programs ("../../../bin/f2py") included, but nothing outside of the environment."""
    for name in files:
        source, target = root / name, Path(os.path.normpath(site / name))
        if (
            "__pycache__" in name
            or not source.is_file()
            or not target.is_relative_to(os.path.normpath(environment))
        ):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(os.path.normpath(source))
