"""Which records belong together: those of one cell, model content, machine and version of its framework, over rounds and runs."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inferometer.device import Device
from inferometer.records import Cell, Machine, ModelInfo, Record
from inferometer.results.estimates import Key
from inferometer.storage.run_directory import StoredRun
from inferometer.storage.stored_records import Head, heads_of

Identity = tuple[str, str, str, int]  # machine's fingerprint, device, GPU or CPU name, usable cores


@dataclass(frozen=True)
class Facts:
    """What a framework ran with, as it said itself."""

    version: str = ""
    threads: int = 0


@dataclass
class Collected:
    """The records of one cell of one model on one machine, by where they are in their runs."""

    cell: Cell
    identity: Identity
    hardware: Machine
    model_hash: str
    shapes: str  # of the model's inputs
    facts: Facts
    paths: dict[Path, None] = field(default_factory=dict)
    places: list[tuple[Key, StoredRun, int]] = field(default_factory=list)  # of its records in their runs
    by_round: dict[int, list[tuple[StoredRun, int]]] = field(default_factory=dict)
    skips: list[str] = field(default_factory=list)


_Key = tuple[Identity, Cell, str, "Facts"]


def collect(runs: Sequence[StoredRun]) -> list[Collected]:
    """Return what belongs together, in order of first appearance."""
    raw: dict[_Key, Collected] = {}
    numbers: dict[tuple[int, str], int] = {}
    for place, run in enumerate(runs):
        entries, heads = _Entries(raw, run), heads_of(run.records)
        origins = (
            [_origin(run, head) for head in heads]
            if run.info.merged or run.info.merged_at
            else [""] * len(heads)
        )
        for origin in dict.fromkeys(origins):
            numbers[place, origin] = len(numbers)
        for cell, rounds in _last_word(heads).items():
            entry = entries.of(cell)
            for round_, at in rounds.items():
                if len(runs) > 1:
                    known = entry.by_round.setdefault(_own_round(run, round_), [])
                    if _holds(known, run, at):  # the same run given twice, or merged and whole
                        continue
                    known.append((run, at))
                entry.places.append(((numbers[place, origins[at]], round_), run, at))
        for skip in run.info.skips:
            entries.of(skip.cell).skips.append(skip.reason)
    return list(raw.values())


def _own_round(run: StoredRun, round_: int) -> int:
    """Return the round that a record had in the run that measured it."""
    begins = run.info.merged_at
    return round_ - begins[bisect.bisect_right(begins, round_) - 1] if begins else round_


def _holds(known: Sequence[tuple[StoredRun, int]], run: StoredRun, at: int) -> bool:
    others = [(other, place) for other, place in known if other is not run]
    return bool(others) and _mark(run, at) in [_mark(other, place) for other, place in others]


def _mark(run: StoredRun, at: int) -> Record:
    """Return a record without what merging changes of it."""
    return msgspec.structs.replace(run.records[at], round=0, log="")


def _origin(run: StoredRun, record: Head | Record) -> str:
    """Return which of the runs that were merged into one a record is from: "" for a run of its own.

    Merged before they said where each begins, runs are told by the folders of their logs.
    """
    if run.info.merged_at:
        return str(bisect.bisect_right(run.info.merged_at, record.round))
    return str(Path(record.log).parent) if run.info.merged and record.log else ""


def _last_word(heads: Sequence[Head | Record]) -> dict[Cell, dict[int, int]]:
    """Return where the one record of each cell and round is: the last, except that an interruption never replaces a result."""
    found: dict[Cell, dict[int, int]] = {}
    for place, head in enumerate(heads):
        rounds = found.setdefault(head.cell, {})
        if head.round not in rounds or head.status != "interrupted":
            rounds[head.round] = place
    return found


class _Entries:
    """The entries of one run's cells among those of all runs."""

    def __init__(self, raw: dict[_Key, Collected], run: StoredRun) -> None:
        self._raw, self._run, self._facts = raw, run, _facts(run)
        self._identities: dict[str, Identity] = {}

    def of(self, cell: Cell) -> Collected:
        """Return the entry of a cell, made where there is none."""
        info = self._run.info
        if cell.device not in self._identities:
            self._identities[cell.device] = _identity(info.machine, cell.device)
        identity = self._identities[cell.device]
        found = self._facts.get((cell.framework, cell.device), Facts(threads=info.protocol.threads))
        key = (identity, cell, info.model.hash, found)
        entry = self._raw.get(key)
        if entry is None:
            shapes = _shapes(info.model)
            entry = self._raw[key] = Collected(cell, identity, info.machine, info.model.hash, shapes, found)
        entry.paths[self._run.path] = None
        return entry


def _facts(run: StoredRun) -> dict[tuple[str, str], Facts]:
    """Return each framework's version and threads by (framework, device): failed cells have none of their own."""
    found: dict[tuple[str, str], Facts] = {}
    for record in heads_of(run.records):
        key = (record.cell.framework, record.cell.device)
        if key not in found and record.actual and record.actual.version:
            found[key] = Facts(record.actual.version, record.actual.threads or run.info.protocol.threads)
    return found


def _shapes(model: ModelInfo) -> str:
    """Return the inputs' shapes without the batch, in words: "128; 3x224x224"."""
    return "; ".join("x".join(map(str, spec.get("shape", ())[1:])) or "1" for spec in model.inputs)


def _identity(machine: Machine, device: str) -> Identity:
    return machine.fingerprint, device, device_name(machine, device), machine.usable_cores


def device_name(machine: Machine, device: str) -> str:
    """Return the name of the hardware behind "cpu" or "cuda:N": the given name, the GPU's or the CPU's."""
    return machine.name or hardware_name(machine, device)


def hardware_name(machine: Machine, device: str) -> str:
    """Return the GPU's or the CPU's own name, whatever the machine was named."""
    named = Device.parse(device)
    if named.is_gpu:
        return next((gpu.name for gpu in machine.gpus if gpu.index == named.index), device)
    return machine.cpu or device
