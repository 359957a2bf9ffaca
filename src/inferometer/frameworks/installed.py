"""What is installed in an environment, by the folders that installers leave, and how it differs from what was wanted."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_SUFFIX = ".dist-info"
_LAST = "RECORD"  # what an installer writes last: without it a package is half there
_PIN = re.compile(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;]+)|@)")


def site_packages(environment: Path) -> Path | None:
    """Return the folder of a virtual environment's packages; None where it has none."""
    return next(iter(sorted(environment.glob("lib/python*/site-packages"))), None)


def installed_in(environment: Path) -> dict[str, str]:
    """Return the version of every package in a virtual environment, by its normalised name; empty where there is none."""
    found = {}
    for folder in environment.glob(f"lib/python*/site-packages/*{_SUFFIX}"):
        name, _, version = folder.name.removesuffix(_SUFFIX).partition("-")
        if (folder / _LAST).exists():
            found[normalised(name)] = version
    return found


def contents_of(environment: Path) -> list[str]:
    """Return what lies in a virtual environment's folder of packages: modules, and their libraries."""
    site = site_packages(environment)
    return sorted(entry.name for entry in site.iterdir() if entry.name != "__pycache__") if site else []


def gone(contents: Iterable[str], environment: Path) -> str:
    """Return the first of these that is not there any more, in words; "" if all are."""
    missing = sorted(set(contents) - set(contents_of(environment)))
    return f"{missing[0]} is gone" if missing else ""


def damage_in(environment: Path) -> str:
    """Return the first file of a package that is not as its record says, reading all of them; "" if none is."""
    for record in sorted(environment.glob(f"lib/python*/site-packages/*{_SUFFIX}/{_LAST}")):
        root = record.parent.parent
        for name, digest in _recorded(record):
            kind, _, wanted = digest.partition("=")
            try:
                found = hashlib.new(kind, (root / name).read_bytes()).digest()
            except (OSError, ValueError) as error:
                return f"{name} cannot be read ({getattr(error, 'strerror', None) or error})"
            if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != wanted:
                return f"{name} has another content than was installed"
    return ""


def _recorded(record: Path) -> Iterator[tuple[str, str]]:
    try:
        with record.open(newline="", encoding="utf-8") as file:
            yield from ((row[0], row[1]) for row in csv.reader(file) if len(row) > 1 and row[1])
    except (UnicodeDecodeError, csv.Error):
        yield str(record), "damaged=record"


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
