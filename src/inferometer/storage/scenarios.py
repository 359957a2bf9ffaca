"""What rows of a run did under load: scenarios.jsonl, a `records.ScenarioResult` a line, and LoadGen's own logs in scenarios/."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from inferometer.records import ScenarioResult
from inferometer.redaction import redacted_bytes
from inferometer.storage.inside import inside
from inferometer.storage.lines import append_line, cannot_write, read_lines

SCENARIOS_FILE = "scenarios.jsonl"
FOLDER = "scenarios"

_decode = msgspec.json.Decoder(ScenarioResult)


def append_scenario(run: Path, result: ScenarioResult) -> None:
    """Add one result to a run directory."""
    append_line(run / SCENARIOS_FILE, redacted_bytes(msgspec.json.encode(result)) + b"\n")


def read_scenarios(run: Path) -> tuple[ScenarioResult, ...]:
    """Return the results under load in a run directory, none where there are none; StoreError names a damaged line."""
    return read_lines(run / SCENARIOS_FILE, decode_scenario, "scenario")


def decode_scenario(line: bytes) -> ScenarioResult:
    """Return the result in a line; one of msgspec's errors where it is damaged."""
    return _decode.decode(line)


class _Loaded(Protocol):
    """A run that was read."""

    @property
    def path(self) -> Path: ...

    @property
    def scenarios(self) -> tuple[ScenarioResult, ...]: ...


def copy_scenarios(runs: Sequence[_Loaded], out: Path, firsts: Sequence[int]) -> None:
    """Copy the results under load of several runs into one, with LoadGen's logs.

    ``firsts``: the round that each run begins with in the new one. What was given twice (a run, or whole and merged) counts once.
    """
    known: set[tuple[object, ...]] = set()
    for number, (run, first) in enumerate(zip(runs, firsts, strict=True)):
        for found in run.scenarios:
            mark = mark_of(found)
            if mark in known:
                continue
            known.add(mark)
            tests = tuple(_copied(test.folder, run.path, out, number) for test in found.tests)
            renamed = tuple(
                msgspec.structs.replace(test, folder=folder)
                for test, folder in zip(found.tests, tests, strict=True)
            )
            append_scenario(out, msgspec.structs.replace(found, tests=renamed, round=found.round + first))


def mark_of(found: ScenarioResult) -> tuple[object, ...]:
    """Return what a result is known by in another run: no round, since a run that was merged has others."""
    return (
        found.cell, found.scenario, found.batching, found.percentile, found.bound_s, found.preset,
        found.started_at, found.elapsed_s,
    )  # fmt: skip


def _copied(folder: str, run: Path, out: Path, number: int) -> str:
    """Copy one test's logs, as far as there are any and no link leads elsewhere; return where they lie in the new run."""
    target = f"{FOLDER}/{number}/{folder.removeprefix(f'{FOLDER}/')}"
    source, copy = inside(run, folder), inside(out, target)
    if source.is_dir():
        try:
            shutil.copytree(source, copy, ignore=_links)
        except OSError as error:
            raise cannot_write(copy, error) from error
    return target


def _links(folder: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_symlink()]
