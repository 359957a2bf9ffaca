"""A damaged run made readable again: what is sound is kept, the files as they were are set aside, what was lost is told."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from inferometer.errors import StoreError
from inferometer.records import Cell, Machine, ModelInfo, Protocol, Record, RunInfo
from inferometer.storage import evaluations, scenarios
from inferometer.storage.durable import sync_folder, written
from inferometer.storage.lines import cannot_write
from inferometer.storage.regular import bytes_of
from inferometer.storage.run_directory import (
    CELLS_FILE,
    DAMAGE,
    RUN_FILE,
    RunWriter,
    alone_in,
    decode_info,
    decode_record,
    refuse_newer,
)

_TWO_IN_ONE = re.compile(rb'(?<=})[^\n](?={"cell":)')  # the byte between two lines was the damaged one
_MEMBER = re.compile(r'^ "(?=\w+": )', re.M)  # where a fact of run.json begins, as we write it
_REPLACED = "\ufffd"
_UNKNOWN = "unknown machine"


@dataclass
class Repair:
    """What became of a run directory."""

    kept: int = 0  # records, evaluations and results under load
    lost: list[str] = field(default_factory=list)  # a line each; empty: nothing was damaged
    aside: list[Path] = field(default_factory=list)  # the files as they were


def repair(path: Path) -> Repair:
    """Make a run directory readable; StoreError if nothing of it is, if it is none, or if a process measures into it."""
    if not any((path / name).is_file() for name in (RUN_FILE, CELLS_FILE)):
        raise StoreError(f"{path} is no run directory: it has neither {RUN_FILE} nor {CELLS_FILE}")
    with alone_in(path):
        _refuse_newer(path / RUN_FILE)  # of which we would take what we do not know for damage
        done = Repair()
        records = _lines(path / CELLS_FILE, decode_record, done)
        _lines(path / evaluations.EVALUATIONS_FILE, lambda line: evaluations.decode_sound(path, line), done)
        _lines(path / scenarios.SCENARIOS_FILE, scenarios.decode_scenario, done)
        _facts(path, records, done)
    return done


def _refuse_newer(file: Path) -> None:
    data = _read(file)
    try:
        decode_info(data, file)
    except DAMAGE:
        facts, _ = _sound_facts(data.decode(errors="replace"))
        refuse_newer(facts.get("schema", 0), file)


def _lines(path: Path, decode: Callable[[bytes], Any], done: Repair) -> list[Any]:
    """Keep the sound lines of a file and return what they say."""
    data = _read(path)
    kept, found = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        for part in _TWO_IN_ONE.split(line):
            if not part.strip():
                continue
            try:
                found.append(decode(part))
                kept.append(part)
            except (*DAMAGE, StoreError) as error:
                done.lost.append(f"{path.name}:{number}: {' '.join(str(error).split())[:200]}")
    whole = b"".join(line + b"\n" for line in kept)
    done.kept += len(kept)
    if whole != data and data.strip():
        _set_aside(path, done)
        _write(path, whole)
    return found


def _facts(path: Path, records: Sequence[Record], done: Repair) -> None:
    """Keep the sound facts of run.json; what records say of the others takes their place."""
    file = path / RUN_FILE
    data = _read(file)
    try:
        decode_info(data, file)
        return
    except DAMAGE:
        facts, lost = _sound_facts(data.decode(errors="replace"))
    if not facts and not records:
        raise StoreError(f"{path}: nothing in it is sound; it cannot be repaired")
    from_records = _known_by(records)
    for name in lost:
        instead = " (what the records say stands in its place)" if name in from_records else ""
        done.lost.append(f"{RUN_FILE}: {name}{instead}")
    facts = {**{name: from_records[name] for name in lost if name in from_records}, **facts}
    if not lost and _REPLACED in data.decode(errors="replace"):
        done.lost.append(f"{RUN_FILE}: characters that cannot be read, shown as {_REPLACED}")
    note = f"repaired: {RUN_FILE} was damaged" + (f", {', '.join(lost)} lost" if lost else "")
    info = RunInfo(**facts)
    if data:
        _set_aside(file, done)
    RunWriter(path).write_info(msgspec.structs.replace(info, notes=(*info.notes, note)))


def _sound_facts(text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the facts that can be read, by name, and the names of those that cannot."""
    facts: dict[str, Any] = {}
    lost = []
    members = dict(_members(text))
    for name in RunInfo.__struct_fields__:
        if name not in members:
            lost.append(name)
            continue
        try:
            facts[name] = getattr(msgspec.convert({name: members[name]}, RunInfo), name)
        except DAMAGE:
            lost.append(name)
    return facts, lost


def _members(text: str) -> Iterator[tuple[str, Any]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict):
        yield from whole.items()
        return
    for member in _MEMBER.split(text)[1:]:
        body = member.rstrip().removesuffix("}").rstrip() if member.rstrip().endswith("\n}") else member
        try:
            yield from json.loads('{"' + body.rstrip().removesuffix(",") + "}").items()
        except (ValueError, RecursionError):
            continue


def _known_by(records: Sequence[Record]) -> dict[str, Any]:
    """Return the facts of a run that its records tell."""
    if not records:
        return {}
    cells: tuple[Cell, ...] = tuple(dict.fromkeys(record.cell for record in records))
    protocol = Protocol(
        images=max(record.images for record in records) or Protocol().images,
        loops=max(len(record.loops) for record in records),
        rounds=1 + max(record.round for record in records),
    )
    return {
        "cells": cells,
        "protocol": protocol,
        "model": ModelInfo(cells[0].model),
        "machine": Machine(name=_UNKNOWN),
    }


def _read(path: Path) -> bytes:
    try:
        return bytes_of(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _set_aside(path: Path, done: Repair) -> None:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    try:
        os.link(path, aside)  # the run stays readable, or as damaged as it was, at every moment
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(aside, error) from error
    done.aside.append(aside)


def _write(path: Path, data: bytes) -> None:
    try:
        with written(path) as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(path, error) from error
