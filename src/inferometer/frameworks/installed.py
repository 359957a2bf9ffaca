"""What is installed in an environment, by the folders that installers leave, and how it differs from what was wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_SUFFIX = ".dist-info"
_LAST = "RECORD"  # what an installer writes last: without it a package is half there
_PIN = re.compile(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;]+)|@)")


def installed_in(environment: Path) -> dict[str, str]:
    """Return the version of every package in a virtual environment, by its normalised name; empty where there is none."""
    found = {}
    for folder in environment.glob(f"lib/python*/site-packages/*{_SUFFIX}"):
        name, _, version = folder.name.removesuffix(_SUFFIX).partition("-")
        if (folder / _LAST).exists():
            found[normalised(name)] = version
    return found


def normalised(name: str) -> str:
    """Return a package's name as installers compare it: "Ruamel.yaml" is "ruamel-yaml"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lines: Iterable[str]) -> dict[str, str]:
    """Return the version that requirement lines ask of each package; "" where they name a file and no version."""
    found = (match for line in lines if (match := _PIN.match(line)))
    return {normalised(match[1]): match[2] or "" for match in found}


def difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return the first package of ``wanted`` that is not there in its version, in words; "" if all are.

    A build of a version ("2.15.0+cpu") stands for it where no build is named.
    """
    for name, version in wanted.items():
        if name not in found:
            return f"{name} is not installed"
        if version and version not in (found[name], found[name].partition("+")[0]):
            return f"{name} is {found[name]} instead of {version}"
    return ""
