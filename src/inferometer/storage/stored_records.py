"""The records of a big run, read from its file when they are asked for: of each only where it lies, and whose it is, is kept."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast, overload

import msgspec
import numpy as np

from inferometer.errors import StoreError
from inferometer.records import Cell, Record, Status
from inferometer.records.limits import Round
from inferometer.storage.collector import no_collection
from inferometer.storage.lines import shown
from inferometer.storage.regular import opened
from inferometer.storage.run_directory import (
    CELLS_FILE,
    DAMAGE,
    StoredRun,
    damaged_record,
    decode_record,
    read_info,
)
from inferometer.storage.scenarios import read_scenarios

_BLOCK_BYTES = 1 << 18
_SLASHES = 0x2F2F  # "//", as every address has
_NEWLINE, _OPENING, _CLOSING = b"\n{}"
_LINE_BYTES = 1 << 12  # more than most records have


class Ran(msgspec.Struct, frozen=True, gc=False):
    """Version and threads of the framework, of an `Actual`."""

    version: str = ""
    threads: int = 0


class Head(msgspec.Struct, gc=False):
    """What is read of a `Record` to find it."""

    cell: Cell
    round: Round
    status: Status
    actual: Ran | None = None
    log: str = ""


_decode_head = msgspec.json.Decoder(Head).decode
_decode_heads = msgspec.json.Decoder(Head).decode_lines


class StoredRecords(Sequence[Record]):
    """Records that are read from cells.jsonl when they are asked for, and not kept."""

    def __init__(
        self,
        file: Path,
        offsets: Sequence[int],
        heads: Sequence[Head] | None = None,
        size_bytes: int = 0,
        *,
        plain: bool = False,
    ) -> None:
        self.file, self.offsets, self._heads = file, offsets, heads
        self.size_bytes = size_bytes  # of the file when they were found in it; 0: not known
        self.plain = plain  # every line of it may be shown as it is

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        """Return one, or the sequence of some."""
        if isinstance(place, slice):
            return self.at(range(len(self))[place])
        return next(self._read([self.offsets[place]]))

    def __iter__(self) -> Iterator[Record]:
        return self._read(self.offsets)

    def at(self, places: Sequence[int]) -> StoredRecords:
        """Return the sequence of those at some places."""
        return StoredRecords(self.file, [self.offsets[place] for place in places], plain=self.plain)

    @property
    def heads(self) -> Sequence[Head | Record]:
        """Return what each says of cell, round, status, version, threads and log, without its figures; all of it where that was not kept."""
        return self if self._heads is None else self._heads

    def _read(self, offsets: Sequence[int]) -> Iterator[Record]:
        file = os.open(self.file, os.O_RDONLY)
        try:
            for offset in offsets:
                line = _line_at(file, offset)
                yield decode_record(line if self.plain else shown(line))
        finally:
            os.close(file)


def _line_at(file: int, offset: int) -> bytes:
    """Return the line that begins at a place of a file."""
    size = _LINE_BYTES
    while True:
        data = os.pread(file, size, offset)
        end = data.find(b"\n")
        if end >= 0 or len(data) < size:
            return data[:end] if end >= 0 else data
        size *= 8


def heads_of(records: Sequence[Record]) -> Sequence[Head | Record]:
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
        heads = cast("Sequence[Record]", heads_of(self.records))  # it asks for no more than they have
        return StoredRun(self.path, self.info, heads).missing


def read_indexed(path: Path) -> StoredRun:
    """Read a run directory as `read_run` does, but keep no figures; one with a data set has no evaluations here.

    Of a record only its head is read. StoreError as `read_run` if that is damaged; the rest is found to be when it is read, but for
    records of one cell and round, of which not all are read, which are checked here.
    """
    info, cells = read_info(path), path / CELLS_FILE
    index = _Index(cells)
    try:
        with opened(cells) as file, no_collection():
            while block := file.read(_BLOCK_BYTES):
                index.add(block + file.readline())
    except OSError as error:
        raise StoreError(f"cannot read {cells}: {error.strerror}") from error
    records = StoredRecords(cells, index.offsets, index.heads, index.size_bytes, plain=index.plain)
    for place in index.repeated:
        records[place]
    return _IndexedRun(path, info, records, scenarios=read_scenarios(path))


def needs_nothing_shown(data: bytes) -> bool:
    """Return whether `shown` returns data as they are; False where that is not sure. Of many records in a tenth of the time."""
    if b"\\" in data or b"\x7f" in data or not data.isascii():
        return False
    pairs = (np.frombuffer(data, np.uint16, (len(data) - at) // 2, at) for at in (0, 1) if len(data) > at)
    return not any(bool((two == _SLASHES).any()) for two in pairs)


class _Index:
    """Where the records of a file begin, and their heads, which share what is equal."""

    def __init__(self, file: Path) -> None:
        self._file, self._number = file, 0
        self.offsets: list[int] = []
        self.heads: list[Head] = []
        self.size_bytes = 0
        self.plain = True
        self._cells: dict[Cell, Cell] = {}
        self._actual: dict[Ran, Ran] = {}
        self._logs: dict[str, str] = {}

    @property
    def repeated(self) -> list[int]:
        """Return the places of records of a cell and round that has others."""
        keys = [(id(head.cell), head.round) for head in self.heads]  # equal cells are one object here
        if len(set(keys)) == len(keys):
            return []
        times = Counter(keys)
        return [place for place, key in enumerate(keys) if times[key] > 1]

    def add(self, lines: bytes) -> None:
        """Add lines, of which the last may be torn: no newline follows it."""
        plain = needs_nothing_shown(lines)
        self.plain = self.plain and plain
        if not (plain and self._add_at_once(lines)):
            self._add_each(lines, plain)
        self.size_bytes += len(lines)

    def _add_at_once(self, lines: bytes) -> bool:
        """Add lines that hold a sound record each; return whether they do, else none is added."""
        characters = np.frombuffer(lines, np.uint8)
        ends = np.flatnonzero(characters == _NEWLINE) + 1
        if not len(ends):
            return False
        starts = np.concatenate([[0], ends[:-1]])
        # a record that goes on in the next line would go on with anything but an opening brace
        if (characters[starts] != _OPENING).any() or (characters[ends - 2] != _CLOSING).any():
            return False
        try:
            heads = _decode_heads(lines[: ends[-1]])
        except DAMAGE:
            return False
        if len(heads) != len(ends):  # several in a line
            return False
        self.offsets += (self.size_bytes + starts).tolist()
        self._number += len(ends)
        for head in heads:
            self._add_head(head)
        return True

    def _add_each(self, lines: bytes, plain: bool) -> None:
        at = self.size_bytes
        for line in lines.split(b"\n")[:-1]:
            self._number += 1
            if line and not line.isspace():
                self.offsets.append(at)
                self._add_head(self._head(line if plain else shown(line)))
            at += len(line) + 1

    def _head(self, line: bytes) -> Head:
        try:
            return _decode_head(line)
        except DAMAGE:  # which is to be called what it is when all is read
            try:
                whole = decode_record(line)
            except DAMAGE as error:
                raise damaged_record(self._file, self._number, error) from error
            ran = Ran(whole.actual.version, whole.actual.threads) if whole.actual else None
            return Head(whole.cell, whole.round, whole.status, ran, whole.log)

    def _add_head(self, head: Head) -> None:
        """Add a head, which shares with others what is equal."""
        head.cell = self._cells.setdefault(head.cell, head.cell)
        head.log = self._logs.setdefault(head.log, head.log)
        if head.actual:
            head.actual = self._actual.setdefault(head.actual, head.actual)
        self.heads.append(head)
