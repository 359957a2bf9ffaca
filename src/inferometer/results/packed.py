"""Cells as bytes, to be kept or sent to another process: all but where their run lies, and for their records where they begin."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from inferometer.records import Record
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Key, Series
from inferometer.results.metrics import METRICS
from inferometer.results.pooling import Located
from inferometer.results.stats import Floats
from inferometer.storage.run_directory import CELLS_FILE
from inferometer.storage.stored_records import StoredRecords

_ENDS = 3  # value, low and high
_NO_MARKS: Mapping[str, bool] = {}


class _Row(msgspec.Struct, gc=False):
    summary: CellSummary  # without its series and keys
    offsets: list[int]  # where its records begin in cells.jsonl
    rounds: list[tuple[Key, ...]]  # that records and series have, the records' first: most have the same
    series: dict[str, tuple[int, tuple[float, ...]]]  # by name: which of `rounds`, and the logarithms


class _Share(msgspec.Struct):
    cells: list[Located]
    offsets: list[list[int]]  # of each one's records
    plain: bool  # as `StoredRecords.plain`


class Packed(msgspec.Struct):
    """Summaries of one run, whose records are read from its file, and the figures in them."""

    summaries: list[bytes]
    figures: list[bytes]  # as `_figures_of`, of some of them each

    @classmethod
    def of(cls, summaries: Sequence[CellSummary]) -> Packed:
        """Return summaries as bytes, without their marks: those depend on all others."""
        return cls([_pack(summary) for summary in summaries], [_figures_of(summaries).tobytes()])

    @classmethod
    def joined(cls, several: Sequence[Packed]) -> Packed:
        """Return several as one."""
        summaries = [summary for one in several for summary in one.summaries]
        return cls(summaries, [figures for one in several for figures in one.figures])

    def by_metric(self) -> dict[str, Floats]:
        """Return each metric's figures that any has: a row a cell, of value and ends of the interval, NaN where there is none; a cell is a column."""
        parts = [np.frombuffer(some, np.float64).reshape(len(METRICS), _ENDS, -1) for some in self.figures]
        of_each = zip(METRICS, np.concatenate(parts, axis=2), strict=True)
        return {name: ends for name, ends in of_each if not np.isnan(ends).all()}


def _figures_of(summaries: Sequence[CellSummary]) -> Floats:
    """Return each metric of each cell: value and ends of the interval, NaN where there is none; a cell is a column."""
    found: Floats = np.full((len(METRICS), _ENDS, len(summaries)), np.nan)
    measured = [summary if summary.measured else None for summary in summaries]
    for of_metric, metric in zip(found, METRICS.values(), strict=True):
        known = [metric.of(summary) if summary else None for summary in measured]
        if any(known):
            of_metric[0] = [e.value if e else None for e in known]
            of_metric[1] = [e.low if e else None for e in known]
            of_metric[2] = [e.high if e else None for e in known]
    return found


def _pack(summary: CellSummary) -> bytes:
    places: dict[tuple[Key, ...], int] = {summary.keys: 0}
    series = {
        name: (places.setdefault(one.keys, len(places)), one.logs) for name, one in summary.series.items()
    }
    plain = replace(summary, records=(), keys=(), paths=(), series={})
    return _encoder.encode(_Row(plain, _offsets(summary.records), list(places), series))


def unpack(
    packed: Iterable[bytes], run: Path, marks: Iterable[Mapping[str, bool]] = itertools.repeat(_NO_MARKS)
) -> list[CellSummary]:
    """Return the summaries of a run, with marks where given; msgspec.MsgspecError for other bytes."""
    decode, file, paths = _decoder().decode, run / CELLS_FILE, (run,)
    shared: dict[tuple[Key, ...], tuple[Key, ...]] = {}
    found = []
    for row, own in zip(map(decode, packed), marks, strict=False):
        rounds = [shared.setdefault(keys, keys) for keys in row.rounds]
        series = {name: Series(rounds[place], logs) for name, (place, logs) in row.series.items()}
        records = StoredRecords(file, row.offsets)
        found.append(replace(row.summary, paths=paths, records=records, keys=rounds[0], series=series, **own))
    return found


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
