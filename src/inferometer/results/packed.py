"""A cell as bytes, to be kept or sent to another process: all but where its run lies, and for its records where they begin."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from inferometer.records import Record
from inferometer.results.cells import CellSummary
from inferometer.results.pooling import Located
from inferometer.storage.run_directory import CELLS_FILE
from inferometer.storage.stored_records import StoredRecords


class _Row(msgspec.Struct):
    summary: CellSummary
    offsets: list[int]  # where its records begin in cells.jsonl


class _Share(msgspec.Struct):
    cells: list[Located]
    offsets: list[list[int]]  # of each one's records
    plain: bool  # as `StoredRecords.plain`


def pack(summary: CellSummary) -> bytes:
    """Return a summary of one run, whose records are read from its file, as bytes."""
    return _encoder.encode(_Row(replace(summary, records=(), paths=()), _offsets(summary.records)))


def unpack(packed: Iterable[bytes], run: Path) -> list[CellSummary]:
    """Return the summaries of a run; msgspec.MsgspecError for other bytes."""
    decode, file, paths = _decoder().decode, run / CELLS_FILE, (run,)
    rows = map(decode, packed)
    return [replace(row.summary, paths=paths, records=StoredRecords(file, row.offsets)) for row in rows]


def pack_located(cells: Sequence[Located]) -> bytes:
    """Return cells of one run, whose records are to be read from its file, as bytes."""
    plain = all(cell.records.plain for cell in cells if isinstance(cell.records, StoredRecords))
    offsets = [_offsets(cell.records) for cell in cells]
    return _encoder.encode(_Share([replace(cell, records=(), paths=()) for cell in cells], offsets, plain))


def unpack_located(packed: bytes, run: Path) -> list[Located]:
    """Return the cells of a run; msgspec.MsgspecError for other bytes."""
    share, file, paths = msgspec.msgpack.decode(packed, type=_Share), run / CELLS_FILE, (run,)
    return [
        replace(cell, paths=paths, records=StoredRecords(file, offsets, plain=share.plain))
        for cell, offsets in zip(share.cells, share.offsets, strict=True)
    ]


def _offsets(records: Sequence[Record]) -> list[int]:
    return list(records.offsets) if isinstance(records, StoredRecords) else []


_encoder = msgspec.msgpack.Encoder()


@functools.cache
def _decoder() -> msgspec.msgpack.Decoder[_Row]:
    return msgspec.msgpack.Decoder(_Row)
