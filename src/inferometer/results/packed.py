"""A summary as bytes, to be kept or sent to another process: all but where its run lies, and for its records where they begin."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from inferometer.results.cells import CellSummary
from inferometer.storage.run_directory import CELLS_FILE
from inferometer.storage.stored_records import StoredRecords


class _Row(msgspec.Struct):
    summary: CellSummary
    offsets: list[int]  # where its records begin in cells.jsonl


def pack(summary: CellSummary) -> bytes:
    """Return a summary of one run, whose records are read from its file, as bytes."""
    plain = replace(summary, records=(), paths=())
    offsets = list(summary.records.offsets) if isinstance(summary.records, StoredRecords) else []
    return _encoder.encode(_Row(plain, offsets))


def unpack(packed: Iterable[bytes], run: Path) -> list[CellSummary]:
    """Return the summaries of a run; msgspec.MsgspecError for other bytes."""
    decode, file, paths = _decoder().decode, run / CELLS_FILE, (run,)
    rows = map(decode, packed)
    return [replace(row.summary, paths=paths, records=StoredRecords(file, row.offsets)) for row in rows]


_encoder = msgspec.msgpack.Encoder()


@functools.cache
def _decoder() -> msgspec.msgpack.Decoder[_Row]:
    return msgspec.msgpack.Decoder(_Row)
