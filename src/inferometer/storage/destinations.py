"""Where several runs go: one into the folder itself, several into one below it each, called after their machines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from inferometer.errors import UsageError
from inferometer.records import RunInfo
from inferometer.storage.run_directory import RUN_FILE, check_free

RUNS_FOLDER = Path("inferometer-runs")  # where runs go that are given no place, and what `serve` shows


def default_out(model: str) -> Path:
    """Return a new directory name below ./inferometer-runs, by time and model."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    before, _, last = model.rpartition(":")  # timm:NAME, FILE.py:FACTORY
    name = f"{Path(before).stem}.{last}" if before.endswith(".py") else Path(last).stem
    return RUNS_FOLDER / f"{stamp}-{name}"


def destinations(infos: Sequence[RunInfo], out: Path) -> list[Path]:
    """Return a free directory for every run; UsageError if one holds a run, or anything else, already."""
    if len(infos) == 1:
        paths = [out]
    else:
        paths = []
        for info in infos:
            paths.append(_another(out / slug(_machine(info)), paths))
    for path in paths:
        if (path / RUN_FILE).exists():
            raise UsageError(f"{path} already holds a run; give another --out")
        check_free(path)
    return paths


def slug(name: str) -> str:
    """Return a name as a directory: "TITAN X (Pascal)" -> "titan-x-pascal"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "machine"


def _machine(info: RunInfo) -> str:
    machine = info.machine
    return machine.name or next((gpu.name for gpu in machine.gpus), machine.cpu)


def _another(path: Path, taken: Sequence[Path]) -> Path:
    """Return ``path``, with a number where it is taken."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([path], numbered) if candidate not in taken)
