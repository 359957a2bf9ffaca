"""The records of a big run, read from its file when they are asked for: of each only where it lies, and whose it is, is kept."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from inferometer.errors import StoreError
from inferometer.records import Actual, Cell, Record
from inferometer.storage.run_directory import (
    CELLS_FILE,
    DAMAGE,
    StoredRun,
    damaged_record,
    decode_record,
    no_collection,
    read_info,
    shown,
)
from inferometer.storage.scenarios import read_scenarios

_BLOCK_BYTES = 1 << 22


class StoredRecords(Sequence[Record]):
    """Records that are read from cells.jsonl when they are asked for, and not kept."""

    def __init__(
        self, file: Path, offsets: Sequence[int], heads: Sequence[Record] | None = None, size_bytes: int = 0
    ) -> None:
        self.file, self.offsets, self._heads = file, offsets, heads
        self.size_bytes = size_bytes  # of the file when they were found in it; 0: not known

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        """Return one, or the sequence of some."""
        if isinstance(place, slice):
            return StoredRecords(self.file, self.offsets[place])
        return next(self._read([self.offsets[place]]))

    def __iter__(self) -> Iterator[Record]:
        return self._read(self.offsets)

    def at(self, places: Sequence[int]) -> StoredRecords:
        """Return the sequence of those at some places."""
        return StoredRecords(self.file, [self.offsets[place] for place in places])

    @property
    def heads(self) -> Sequence[Record]:
        """Return what each says of cell, round, status, version, threads and log, without its figures; all of it where that was not kept."""
        return self if self._heads is None else self._heads

    def _read(self, offsets: Sequence[int]) -> Iterator[Record]:
        with self.file.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                yield decode_record(shown(file.readline()))


def heads_of(records: Sequence[Record]) -> Sequence[Record]:
    """Return what records say of their places, which does not read them again."""
    return records.heads if isinstance(records, StoredRecords) else records


def records_at(records: Sequence[Record], places: Sequence[int]) -> Sequence[Record]:
    """Return the records at some places: themselves, or the sequence that reads them."""
    return records.at(places) if isinstance(records, StoredRecords) else tuple(records[p] for p in places)


class _IndexedRun(StoredRun):
    """A run of which what is missing is known from the heads of its records."""

    @functools.cached_property
    def missing(self) -> tuple[tuple[Cell, int], ...]:
        """Return what `StoredRun.missing` does."""
        return StoredRun(self.path, self.info, heads_of(self.records)).missing


def read_indexed(path: Path) -> StoredRun:
    """Read a run directory as `read_run` does, every record once, but keep no figures; one with a data set has no evaluations here."""
    info, cells = read_info(path), path / CELLS_FILE
    offsets: list[int] = []
    heads: list[Record] = []
    index = _Heads()
    at = number = 0
    try:
        with cells.open("rb") as file, no_collection():
            while lines := file.readlines(_BLOCK_BYTES):
                for line in lines:
                    number += 1
                    if line.endswith(b"\n") and line.strip():  # what no newline follows is torn
                        offsets.append(at)
                        heads.append(index.head(shown(line), cells, number))
                    at += len(line)
    except OSError as error:
        raise StoreError(f"cannot read {cells}: {error.strerror}") from error
    records = StoredRecords(cells, offsets, heads, at)
    return _IndexedRun(path, info, records, scenarios=read_scenarios(path))


class _Heads:
    """Makes heads of records, which share what is equal."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Cell] = {}
        self._actual: dict[tuple[str, int], Actual] = {}
        self._logs: dict[str, str] = {}

    def head(self, line: bytes, file: Path, number: int) -> Record:
        """Return the head of the record in a line; StoreError if it is damaged."""
        try:
            record = decode_record(line)
        except DAMAGE as error:
            raise damaged_record(file, number, error) from error
        actual = None
        if record.actual:
            ran = (record.actual.version, record.actual.threads)
            actual = self._actual.get(ran) or self._actual.setdefault(
                ran, Actual(version=ran[0], threads=ran[1])
            )
        return Record(
            self._cells.setdefault(record.cell, record.cell),
            record.round,
            record.status,
            actual=actual,
            log=self._logs.setdefault(record.log, record.log),
        )
