"""The study's raw format: a file of loops a framework, EMA's files beside them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inferometer.errors import UsageError
from inferometer.flags import flag
from inferometer.importing import ema, names
from inferometer.importing.csvfile import LARGEST, CsvRow, Log, number, read, whole
from inferometer.importing.ema import Key, Readings
from inferometer.records import Actual, Cell, Energy, Loop, Memory, Record

COLUMNS = ("Batch_Size", "Elapsed_Times")
_TOLERANCE = 0.02  # of images = throughput x elapsed, and a factor 10 for EMA's time against the loop's
_FACTOR = 10.0


@dataclass(frozen=True)
class LoopFile:
    """A loops file and what its name says."""

    path: Path
    framework: names.Framework
    variant: str
    site: str


@dataclass(frozen=True)
class _LoopRow:
    line: int
    seconds: float
    images: float | None
    memory: float | None


def recognise(path: Path) -> LoopFile | None:
    """Return what a file's name says if it is one of loops, else None."""
    match = names.LOOP_FILE.fullmatch(path.name)
    if match is None:
        return None
    return LoopFile(path, names.framework(match["name"]), names.variant(match["variant"]), match["site"])


def choose(files: list[LoopFile], variant: str | None, prefix: str | None, log: Log) -> list[LoopFile]:
    """Return one file a framework and precision: of the asked variant (py before nb) and prefix.

    Those left out are noted as skipped; two that remain for one framework are a UsageError.
    """
    found = {f.variant for f in files}
    wanted = variant or ("py" if "py" in found else "nb" if "nb" in found else "")
    chosen: dict[tuple[str, str], LoopFile] = {}
    for file in files:
        if file.variant and file.variant != wanted:
            log.skip(file.path, f"variant {file.variant}; --variant {file.variant} imports it")
        elif prefix is not None and file.framework.prefix != prefix.lower():
            log.skip(file.path, f"prefix {file.framework.prefix or '(none)'} is not {prefix}")
        else:
            row = (file.framework.framework, file.framework.precision)
            if row in chosen:
                raise UsageError(
                    f"{chosen[row].path} and {file.path} both hold loops of {' '.join(row)}: "
                    "import one machine's directory at a time, or choose with --prefix"
                )
            chosen[row] = file
    return sorted(chosen.values(), key=lambda file: names.place(file.framework))


def read_loops(files: list[LoopFile], model: str, log: Log) -> dict[Key, Record]:
    """Return a record a cell, with every loop that is sound; malformed rows are noted."""
    records: dict[Key, Record] = {}
    for file in files:
        for batch_size, rows in _rows(file, log).items():
            known = file.framework
            cell = Cell(model, known.framework, known.precision, batch_size, "cuda:0", "host")
            record = _record(cell, file, rows, log)
            if record:
                records[known.framework, known.precision, batch_size] = record
    return records


def _rows(file: LoopFile, log: Log) -> dict[int, list[_LoopRow]]:
    sheet = read(file.path, log)
    missing = [name for name in COLUMNS if name not in sheet.columns]
    if missing:
        log.skip(file.path, f"named like a file of loops, but has no column {missing[0]}")
        return {}
    found: dict[int, list[_LoopRow]] = defaultdict(list)
    for row in sheet.rows:
        try:
            found[whole(row.get("Batch_Size"), "Batch_Size")].append(_parse(row))
        except ValueError as error:
            log.row(file.path, row.line, str(error))
    return found


def _parse(row: CsvRow) -> _LoopRow:
    seconds = number(row.get("Elapsed_Times"), "Elapsed_Times", above=0)
    images = memory = None
    if "Throughput" in row.values:
        images = number(row.get("Throughput"), "Throughput", above=0) * seconds
        if not 0.5 <= images <= LARGEST:
            raise ValueError(f"throughput x elapsed is {images:.4g} images, no loop's")
    if row.values.get("GPU_Memory_Usage", "").strip():
        memory = number(row.get("GPU_Memory_Usage"), "GPU_Memory_Usage", at_least=0)
    return _LoopRow(row.line, seconds, images, memory)


def _record(cell: Cell, file: LoopFile, rows: list[_LoopRow], log: Log) -> Record | None:
    """Return the record of one cell; loops whose throughput contradicts the others' are noted and left out."""
    counts = [row.images for row in rows if row.images is not None]
    images = round(float(np.median(counts))) if counts else 512
    loops, memory = [], [row.memory for row in rows if row.memory is not None]
    for row in rows:
        if row.images is not None and abs(row.images / images - 1) > _TOLERANCE:
            log.row(
                file.path,
                row.line,
                f"throughput x elapsed is {row.images:.4g} images where the other loops have {images}: mixed units?",
            )
        else:
            loops.append(Loop(row.seconds, images=images))
    if not loops:
        return None
    left_out = len(rows) - len(loops)
    flags = (flag("malformed-loops", count=left_out),) if left_out else ()
    used = Memory(device_used_bytes=int(max(memory))) if memory else None
    return Record(
        cell,
        0,
        "ok",
        images=images,
        loops=tuple(loops),
        memory=used,
        flags=flags,
        actual=Actual(device="cuda:0"),
    )


def add_energy(
    records: dict[Key, Record], readings: list[Readings], variant: str, log: Log
) -> dict[Key, Record]:
    """Return the records with EMA's energy of their loops; regions without loops are noted."""
    chosen = [r for r in readings if not r.variant or r.variant == variant]
    for other in (r for r in readings if r not in chosen):
        log.skip(other.path, f"variant {other.variant}; --variant {other.variant} imports it")
    sources: dict[Key, Readings] = {}
    for file in chosen:
        for key in file.values:
            name = f"{key[0]} {key[1]} at batch size {key[2]}"
            if key in sources:
                log.problems.append(f"{file.path}: {name}: regions already read from {sources[key].path}")
            elif key not in records:
                log.problems.append(
                    f"{file.path}: {name}: no file of loops has this cell; its regions are left out"
                )
            else:
                sources[key] = file
    return {key: _with_energy(key, record, sources.get(key), log) for key, record in records.items()}


def _with_energy(key: Key, record: Record, file: Readings | None, log: Log) -> Record:
    if file is None:
        energy = Energy(reason="no EMA region of this cell", absence="no region")
    else:
        found = ema.energies(file, key, record.images)
        worker = file.worker
        energy = Energy(found, primary=worker.uid if worker else "")
        _check_time(key, record, energy, file.path, log)
    return Record(
        record.cell, 0, "ok", images=record.images, loops=record.loops, memory=record.memory,
        flags=record.flags, energy=energy, actual=record.actual,
    )  # fmt: skip


def _check_time(key: Key, record: Record, energy: Energy, path: Path, log: Log) -> None:
    primary = next((d for d in energy.devices if d.device_uid == energy.primary), None)
    if primary is None or not primary.images:
        return
    metered = primary.seconds / (primary.images / record.images)
    timed = float(np.mean([loop.elapsed_s for loop in record.loops]))
    if not 1 / _FACTOR < metered / timed < _FACTOR:
        log.problems.append(
            f"{path}: {key[0]} {key[1]} at batch size {key[2]}: a region lasts {metered:.4g} s, its loop {timed:.4g} s: mixed units?"
        )
