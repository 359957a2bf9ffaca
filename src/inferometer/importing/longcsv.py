"""Long CSV tables: a row a cell (or a loop), columns found by name or by the user's mapping.

Known on sight: the study's throughput.csv and power.csv, and what `inferometer table --format csv` writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.errors import UsageError, unknown
from inferometer.importing.csvfile import CsvRow, Log, Sheet, header, number, read, whole
from inferometer.importing.places import Options, note_assumed, place
from inferometer.importing.quantities import QUANTITIES, of_value, readable, scale
from inferometer.records import STATUSES, Actual, Cell, Loop, Record

# what a column may mean; these place a row, the rest are quantities
PLACES = (
    "batch_size",
    "framework",
    "precision",
    "gpu",
    "device",
    "model",
    "mode",
    "round",
    "images",
    "status",
    "cause",
    "metric",
)
TARGETS = (*PLACES, *QUANTITIES, "value", "unit")

_ALIASES = {
    "batch": "batch_size", "batchsize": "batch_size", "bs": "batch_size", "runtime": "framework", "backend": "framework",
    "gpu_name": "gpu", "machine": "gpu", "dtype": "precision", "network": "model",
    "fps": "throughput", "images_per_s": "throughput", "elapsed_time": "elapsed", "elapsed_times": "elapsed",
    "energy_per_image": "energy", "memory_used": "memory", "gpu_memory_usage": "memory",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """What a column of the file means, and the factor to SI units."""

    name: str
    target: str
    factor: float = 1.0
    by_unit: bool = False  # the row's unit column gives the factor
    has_unit: bool = False  # its name does


@dataclass
class _Found:
    """What the rows of one cell say, by round."""

    published: dict[str, float] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)
    status: str = "ok"
    cause: str = ""


_FACTOR = (
    10.0  # between a latency and what the throughput says of it: below, several batches may be in flight
)
Table = dict[str, dict[tuple[Cell, int], _Found]]  # by machine


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """Return {target: column} of ``--map target=column`` options."""
    mapping = {}
    for pair in pairs:
        target, equals, column = pair.partition("=")
        if not equals or not column:
            raise UsageError(f"--map {pair!r} is not TARGET=COLUMN, e.g. --map throughput=fps")
        if target not in TARGETS:
            raise unknown("target of --map", target, TARGETS)
        mapping[target] = column
    return mapping


def recognise(columns: Sequence[str], mapping: Mapping[str, str]) -> list[Column] | None:
    """Return what the columns mean; None unless they hold batch size, framework and a quantity."""
    found: dict[str, Column] = {}
    wanted = {column: target for target, column in mapping.items()}
    for name in columns:
        column = _mapped(name, wanted[name]) if name in wanted else _guess(name)
        if column and (name in wanted or column.target not in found):
            found[column.target] = column
    quantities = [t for t in found if t in QUANTITIES or t == "value"]
    if "batch_size" not in found or "framework" not in found or not quantities:
        return None
    return list(found.values())


def names_machine(columns: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Return whether the table has a column for the machine (or is no table of ours at all)."""
    found = recognise(columns, mapping)
    return found is None or any(column.target in ("gpu", "device") for column in found)


def _guess(name: str) -> Column | None:
    plain = re.sub(r"[\s\-]+", "_", re.sub(r"[()\[\]]", "", name.strip().lower())).strip("_")
    if plain in TARGETS or plain in _ALIASES:
        return Column(name, _ALIASES.get(plain, plain))
    for target, si in QUANTITIES.items():
        if plain.startswith(f"{target}_"):
            known = scale(plain[len(target) + 1 :])
            if known and known[0] == si:
                return Column(name, target, known[1], has_unit=True)
    return None


def _mapped(name: str, target: str) -> Column:
    guess = _guess(name)
    if guess and guess.target == "value":
        return Column(name, target, by_unit=target in QUANTITIES)
    return Column(name, target, guess.factor if guess else 1.0, has_unit=bool(guess and guess.has_unit))


def read_table(path: Path, mapping: Mapping[str, str], options: Options, table: Table, log: Log) -> bool:
    """Add one long CSV's rows to ``table``; return False (nothing read) if the file is no such table."""
    absent = sorted(set(mapping.values()) - set(header(path)))
    columns = recognise(header(path), mapping)
    if columns is None or absent:
        return False
    sheet = read(path, log)
    seen: dict[tuple[str, Cell, int, str], int] = {}
    for row in sheet.rows:
        try:
            for doubt in _add(row, columns, options, table, seen):
                log.row(path, row.line, doubt)
        except ValueError as error:
            log.row(path, row.line, str(error))
    _note_unused(sheet, columns, log)
    note_assumed(path, {column.target for column in columns}, options, log)
    return True


def _note_unused(sheet: Sheet, columns: list[Column], log: Log) -> None:
    used = {column.name for column in columns}
    if unused := [
        name for name in sheet.columns if name not in used and name not in ("low", "high", "source")
    ]:
        log.skip(sheet.path, f"columns not used: {', '.join(unused[:20])} (name them with --map)")


def _add(
    row: CsvRow,
    columns: list[Column],
    options: Options,
    table: Table,
    seen: dict[tuple[str, Cell, int, str], int],
) -> list[str]:
    """Add a row to the table; return what of it was left out, and why."""
    texts = {column.target: row.get(column.name) for column in columns}
    gpu, cell = place(texts, options)
    status = texts.get("status") or "ok"
    if texts.get("metric") and "value" in texts:
        texts["metric"] = readable(texts["metric"])
    if status not in STATUSES:
        raise ValueError(f"status is {status[:40]!r}, none of ours")
    values = {} if status != "ok" else _values(texts, columns)
    doubts = _doubts(values, columns, cell.batch_size)
    round_ = whole(texts["round"], "round", at_least=0) if texts.get("round") else 0
    _reject_second((gpu, cell, round_), values, row.line, seen)
    found = table.setdefault(gpu, {}).setdefault((cell, round_), _Found())
    if "elapsed" in values:
        images = whole(texts["images"], "images") if texts.get("images") else 512
        found.loops.append(Loop(values.pop("elapsed"), images=images))
        values.pop("throughput", None)
    found.published |= values
    if status != "ok":
        found.status, found.cause = status, texts.get("cause", "")
    return doubts


def _doubts(values: dict[str, float], columns: Sequence[Column], batch_size: int) -> list[str]:
    """Take out of a row's values a latency that names no unit and contradicts the throughput; return a line for each."""
    rate, found = values.get("throughput"), []
    if not rate:
        return []
    for name, images in (("latency", 1), ("latency_batch", batch_size)):
        column = next((column for column in columns if column.target == name), None)
        given = values.get(name)
        if (
            column is None
            or given is None
            or column.has_unit
            or 1 / _FACTOR < given * rate / images < _FACTOR
        ):
            continue
        del values[name]
        found.append(
            f"{column.name} is {given:g}, which would be s, but {rate:g} images/s are {images / rate:.3g} s: give its unit in "
            f"the column's name ({name}_ms), or --map latency_batch={column.name} if it is a batch's"
        )
    return found


def _reject_second(
    place: tuple[str, Cell, int],
    values: dict[str, float],
    line: int,
    seen: dict[tuple[str, Cell, int, str], int],
) -> None:
    if "elapsed" in values:  # a row a loop: many rows a cell are the point
        return
    for name in values:
        first = seen.setdefault((*place, name), line)
        if first != line:
            raise ValueError(f"{name} of this cell was already given on line {first} (map a round column?)")


def _values(texts: Mapping[str, str], columns: Sequence[Column]) -> dict[str, float]:
    values, unit = {}, texts.get("unit", "")
    for column in columns:
        name, factor = column.target, column.factor
        if not texts.get(name) or not (name in QUANTITIES or name == "value"):
            continue
        if name == "value":
            name, factor = of_value(texts.get("metric", ""), unit)
        elif column.by_unit and unit:
            name, factor = of_value(name, unit)
        values[name] = _bounded(texts[column.target], name) * factor
    if not values:
        raise ValueError("no quantity in this row")
    return values


def _bounded(text: str, name: str) -> float:
    return number(text, name, at_least=0) if name in ("accuracy", "memory") else number(text, name, above=0)


def records(cells: Mapping[tuple[Cell, int], _Found]) -> list[Record]:
    """Return a record a cell and round."""
    return [
        Record(
            cell,
            round_,
            found.status,  # type: ignore[arg-type]  # checked against STATUSES when read
            cause=found.cause,
            images=found.loops[0].images if found.loops else 0,
            loops=tuple(found.loops),
            published=found.published,
            actual=Actual(),
        )
        for (cell, round_), found in cells.items()
    ]
