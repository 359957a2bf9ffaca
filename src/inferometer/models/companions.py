"""What a file of the user's names beside itself, without which it is worth nothing elsewhere."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from inferometer.errors import UsageError
from inferometer.models import external_weights


def companions(path: Path) -> list[str]:
    """Return the names, from a file's folder on, of the weights of an ONNX file, or of the images of a .csv.

    Files that are absent, and weights outside of the folder, are left out: who opens the file says so. UsageError for an image
    outside, which is opened where it lies, but has no place on another machine.
    """
    found = {".onnx": _weights, ".csv": _images}.get(path.suffix.lower())
    return sorted(found(path) - {path.name}) if found else []


def _weights(path: Path) -> set[str]:
    """Return those that ONNX Runtime would read (`steps.onnxfile.external_files`)."""
    roots = path.parent.resolve(), path.resolve().parent
    named = {os.path.normpath(name) for name in external_weights.named_in(path) if "\0" not in name}
    targets = {name: (path.parent / name).resolve() for name in named if _is_within(name)}
    return {
        name
        for name, target in targets.items()
        if target.is_file() and any(target.is_relative_to(root) for root in roots)
    }


def _images(path: Path) -> set[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            told = [(row.get("image") or "").strip() for row in csv.DictReader(opened)]
            named = {os.path.normpath(name) for name in told if name and "\0" not in name}
            there = {name for name in named if (path.parent / name).is_file()}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
    if outside := sorted(name for name in there if not _is_within(name)):
        raise UsageError(
            f"{path} names {outside[0]}, which is not below its folder: such images do not travel; put them there"
        )
    return there


def _is_within(name: str) -> bool:
    return not Path(name).is_absolute() and Path(name).parts[:1] != ("..",)
