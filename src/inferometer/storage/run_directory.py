"""Append-only run directories: run.json, cells.jsonl, logs/.

Layout
    run.json      `records.RunInfo`, written once, replaced atomically
    cells.jsonl   a `records.Record` a line, appended and flushed to disk as each cell ends
    accuracy.jsonl, accuracy/   where there is a data set (`evaluations`)
    scenarios.jsonl, scenarios/   where scenarios were asked for (`scenarios`)
    logs/         stdout and stderr of every worker
    .lock         held while a process measures into the directory
    compile-cache, tmp   while it is measured: compiled code, and the workers' temporary files
A torn last line (the writer was killed) is ignored; a damaged line elsewhere is an error with its number.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferometer.errors import StoreError, UsageError
from inferometer.records import SCHEMA, STILL_MISSING, Cell, Evaluation, Record, RunInfo, ScenarioResult
from inferometer.redaction import redacted_bytes
from inferometer.storage import legacy
from inferometer.storage.collector import no_collection
from inferometer.storage.durable import sync_folder, written
from inferometer.storage.evaluations import read_evaluations
from inferometer.storage.lines import append_line, cannot_write, shown
from inferometer.storage.regular import bytes_of
from inferometer.storage.scenarios import read_scenarios

RUN_FILE = "run.json"
CELLS_FILE = "cells.jsonl"
LOCK_FILE = ".lock"
LOGS = "logs"
_UNFINISHED = "run.tmp"  # what becomes run.json

_decode_record = msgspec.json.Decoder(Record)
_decode_info = msgspec.json.Decoder(RunInfo)
DAMAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # what msgspec raises for bad bytes


class _Header(msgspec.Struct):
    schema: int


@dataclass(frozen=True)
class StoredRun:
    """A run as read from its directory: facts and every ended cell, in the order they ended."""

    path: Path
    info: RunInfo
    records: Sequence[Record]
    evaluations: tuple[Evaluation, ...] = ()  # on the user's own data, in the order they ended
    scenarios: tuple[ScenarioResult, ...] = ()  # under load, in the order they ended

    @property
    def has_figures(self) -> bool:
        """Return whether any cell was measured; a run of failures only is one."""
        return any(record.status == "ok" for record in self.records)

    @functools.cached_property
    def missing(self) -> tuple[tuple[Cell, int], ...]:
        """Return the planned (cell, round) pairs with no ended record, in plan order; those stopped from outside count as missing."""
        ended: dict[Cell, set[int]] = {}
        for record in self.records:
            if record.status not in STILL_MISSING:
                ended.setdefault(record.cell, set()).add(record.round)
        return tuple(pair for pair in self.planned if pair[1] not in ended.get(pair[0], ()))

    @functools.cached_property
    def planned(self) -> tuple[tuple[Cell, int], ...]:
        """Return the (cell, round) pairs to be measured, in their order.

        Rounds that a second stage added are for cells that were measured in the first: a time-out is not waited for again.
        Of a merged or imported run, which had no plan, they are those that it has.
        """
        if self.info.merged or self.info.source == "imported":
            ended = (r for r in self.records if r.status not in STILL_MISSING)
            return tuple(dict.fromkeys((r.cell, r.round) for r in ended))
        rounds, first = self.info.protocol.rounds, min(self.info.first_rounds, self.info.protocol.rounds)
        pairs = [(cell, number) for number in range(first) for cell in self.info.cells]
        if rounds > first:
            measured = {record.cell for record in self.records if record.status == "ok"}
            kept = [cell for cell in self.info.cells if cell in measured]
            pairs += [(cell, number) for number in range(first, rounds) for cell in kept]
        return tuple(pairs)


class RunWriter:
    """Appends ended cells to a run directory; every append survives a kill -9 that follows it."""

    def __init__(self, path: Path, *, made_folder: bool = False) -> None:
        self.path = path
        self._made_folder = made_folder
        self._cells = path / CELLS_FILE
        self._lock = threading.Lock()  # a record half written by one thread looks torn to another

    @classmethod
    def create(cls, path: Path, info: RunInfo) -> RunWriter:
        """Make a new run directory holding ``info``; UsageError if ``path`` holds anything, StoreError if it cannot be written."""
        check_free(path)
        made_folder = not path.exists()
        try:
            (path / LOGS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        writer = cls(path, made_folder=made_folder)
        try:
            writer.write_info(info)
            append_line(writer._cells, b"")
        except BaseException:
            writer._clear()
            raise
        sync_folder(path)
        sync_folder(path.parent)
        return writer

    def write_info(self, info: RunInfo) -> None:
        """Replace run.json atomically."""
        target = self.path / RUN_FILE
        try:
            with written(target, self.path / _UNFINISHED) as file:
                file.write(redacted_bytes(msgspec.json.format(msgspec.json.encode(info), indent=1)) + b"\n")
        except OSError as error:
            raise cannot_write(target, error) from error

    def append(self, record: Record) -> None:
        """Add one ended cell and flush it to disk; threads take turns."""
        data = redacted_bytes(msgspec.json.encode(record)) + b"\n"
        with self._lock:
            append_line(self._cells, data)

    def append_all(self, records: Iterable[Record]) -> None:
        """Add cells that ended long ago, and flush them to disk together."""
        data = b"".join(redacted_bytes(msgspec.json.encode(record)) + b"\n" for record in records)
        with self._lock:
            append_line(self._cells, data)

    def withdraw(self) -> None:
        """Remove a run directory that `create` made and that holds no record, so that its name is free again."""
        if not self._cells.stat().st_size:
            self._clear()

    def _clear(self) -> None:
        for name in (RUN_FILE, _UNFINISHED, CELLS_FILE, LOCK_FILE):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / LOGS, ignore_errors=True)
        if self._made_folder:
            with contextlib.suppress(OSError):  # it holds files that are not ours
                self.path.rmdir()


def check_free(path: Path) -> None:
    """Raise UsageError unless ``path`` may become a run directory: it does not exist, is an empty folder, or one that a run which
    was killed as it began left.

    A folder with other files in it is refused, since a run writes, and clears away, logs and compiled code in its own.
    """
    try:
        if (path / RUN_FILE).exists():
            raise UsageError(f"{path} already holds a run; give another --out, or go on with --resume {path}")
        found = sorted(entry.name for entry in path.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error
    if found and not _is_a_beginning(path, found):
        raise UsageError(
            f"{path} is not empty (it holds {found[0]}); a run needs a folder of its own: give another --out"
        )


def check_can_be_made(path: Path) -> None:
    """Raise StoreError unless a folder can be made where a run directory is to be; what is made to find out is removed."""
    above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    try:
        Path(tempfile.mkdtemp(prefix=".inferometer-", dir=above)).rmdir()
    except OSError as error:
        raise cannot_write(path, error) from error


def _is_a_beginning(path: Path, found: Sequence[str]) -> bool:
    """Return whether a folder holds nothing but what is made before run.json is."""
    return set(found) <= {LOGS, _UNFINISHED} and not any((path / LOGS).glob("*"))


@contextlib.contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Hold a run directory for one process that measures into it; StoreError if another does. Ends with the process."""
    import filelock

    lock = filelock.FileLock(path / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise StoreError(f"another process is measuring into {path}; wait for it or stop it") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()


def read_run(path: Path | str) -> StoredRun:
    """Read a run directory; StoreError (one line) if it is none, is damaged, or has a newer schema."""
    path = Path(path)
    info = read_info(path)
    cells = path / CELLS_FILE
    try:
        lines = shown(bytes_of(cells)).split(b"\n") if cells.exists() else []
    except OSError as error:
        raise StoreError(f"cannot read {cells}: {error.strerror}") from error
    with no_collection():
        records = tuple(_read_records(cells, lines))
    return StoredRun(path, info, records, read_evaluations(path), read_scenarios(path))


def read_info(run: Path) -> RunInfo:
    """Read what a run directory says of its run, without its records; UsageError where there is none, StoreError as `read_run`."""
    path = run / RUN_FILE
    try:
        data = shown(bytes_of(path))
    except OSError as error:
        text = f"{path.parent} is no run directory: cannot read {path.name} ({error.strerror})"
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise UsageError(text) if missing else StoreError(text) from error
    try:
        return decode_info(data, path)
    except DAMAGE as error:
        raise StoreError(
            f"{path} is damaged or no inferometer run: {error}; {_remedy(path.parent)}"
        ) from error


def decode_info(data: bytes, path: Path) -> RunInfo:
    """Return what run.json, which lies at ``path``, says; one of `DAMAGE` if it cannot be read, StoreError if its schema is newer."""
    refuse_newer(msgspec.json.decode(data, type=_Header).schema, path)
    return _decode_info.decode(data)


def refuse_newer(schema: int, path: Path) -> None:
    """Raise StoreError for the schema of a newer version than this one."""
    if schema > SCHEMA:
        raise StoreError(
            f"{path} has schema {schema}, this inferometer reads up to {SCHEMA}: upgrade inferometer to read it"
        )


def decode_record(line: bytes) -> Record:
    """Return the record in a line of cells.jsonl, of today's form or of version 0.1's, whose flags were sentences.

    One of `DAMAGE` if it cannot be read.
    """
    try:
        return legacy.with_absence(_decode_record.decode(line))
    except msgspec.ValidationError:
        return legacy.with_absence(legacy.record_of(msgspec.json.decode(line)))


def _remedy(run: Path) -> str:
    return f"to keep what is sound: inferometer repair {shlex.quote(str(run))}"


def damaged_record(path: Path, number: int, error: Exception) -> StoreError:
    """Return the error of a damaged line of a run's records."""
    return StoreError(f"{path}:{number}: damaged record: {error}; {_remedy(path.parent)}")


def _read_records(path: Path, lines: Sequence[bytes]) -> list[Record]:
    records = []
    for number, line in enumerate(lines[:-1], 1):  # what no newline follows is torn: the next append cuts it
        if not line.strip():
            continue
        try:
            records.append(decode_record(line))
        except DAMAGE as error:
            raise damaged_record(path, number, error) from error
    return records
