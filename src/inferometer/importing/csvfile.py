"""Reading other people's CSV files: every refusal is one line that names the file, and the line where there is one."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.errors import UsageError
from inferometer.escapes import shown

MAX_BYTES = 256 * 2**20
MAX_COLUMNS = 1000
LARGEST = 1e15  # of any number in any unit: a petabyte, 30 years in us; its inverse is the smallest
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")
_GROUPED_NUMBER = re.compile(
    r"\s*[+-]?\d{1,3}(\.\d{3})+(,\d+)?\s*"
)  # 1.234: a thousand and more, or one and a bit


@dataclass
class Log:
    """What an import could not use: rows by file and line, files with a reason; and what it took for granted."""

    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def row(self, path: Path, line: int, message: str) -> None:
        """Note a malformed row."""
        self.problems.append(f"{path}:{line}: {message}")

    def skip(self, path: Path, reason: str) -> None:
        """Note a file that is none of ours."""
        self.skipped.append(f"{path}: {reason}")

    def assume(self, path: Path, what: str) -> None:
        """Note what a file does not say, and what it was taken for."""
        self.assumed.append(f"{path}: {what}")


@dataclass(frozen=True)
class CsvRow:
    """One data row by column name, with its line number in the file."""

    line: int
    values: dict[str, str]

    def get(self, name: str) -> str:
        """Return the stripped text of a column."""
        return self.values[name].strip()


@dataclass(frozen=True)
class Sheet:
    """A CSV file's column names (as written) and its well-formed rows."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]


def header(path: Path) -> tuple[str, ...]:
    """Return the column names of a CSV file; UsageError if it is none that can be read."""
    return _parse_header(path, _text(path, first_line_only=True))


def read(path: Path, log: Log) -> Sheet:
    """Return a CSV file's rows; rows with a wrong number of fields are noted in ``log``."""
    text = _text(path)
    columns = _parse_header(path, text.partition("\n")[0])
    rows, lines = [], list(_lines(path, text))
    commas = _delimiter(text.partition("\n")[0]) != "," and any(
        _COMMA_NUMBER.fullmatch(field) for _, fields in lines for field in fields
    )
    for line, fields in lines:
        if len(fields) != len(columns):
            log.row(path, line, f"{len(fields)} fields where the header has {len(columns)}")
        elif commas and (doubtful := next(filter(_GROUPED_NUMBER.fullmatch, fields), None)):
            log.row(
                path,
                line,
                f"{doubtful.strip()} in a file of decimal commas: write numbers without thousands' points",
            )
        else:
            kept = [_with_point(field) for field in fields] if commas else fields
            rows.append(CsvRow(line, dict(zip(columns, map(shown, kept), strict=True))))
    if not rows:
        log.skip(path, "no row that can be used")
    return Sheet(path, columns, tuple(rows))


def _with_point(field: str) -> str:
    return field.replace(",", ".") if _COMMA_NUMBER.fullmatch(field) else field


def number(text: str, name: str, *, above: float | None = None, at_least: float | None = None) -> float:
    """Return a finite number within its bound; ValueError says what is wrong with it."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}, not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text}, not a finite number")
    if abs(value) > LARGEST or 0 < abs(value) < 1 / LARGEST:
        raise ValueError(f"{name} is {text}, beyond what can be measured ({1 / LARGEST:g} to {LARGEST:g})")
    if above is not None and value <= above:
        raise ValueError(f"{name} is {text}, must be above {above:g}")
    if at_least is not None and value < at_least:
        raise ValueError(f"{name} is {text}, must be at least {at_least:g}")
    return value


def whole(text: str, name: str, *, at_least: int = 1) -> int:
    """Return a whole number; ValueError says what is wrong with it."""
    value = number(text, name, at_least=at_least)
    if value != int(value):
        raise ValueError(f"{name} is {text}, not a whole number")
    return int(value)


def _text(path: Path, *, first_line_only: bool = False) -> str:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise UsageError(f"{path} has {size} bytes, more than {MAX_BYTES}: split it")
            data = file.readline(2**24) if first_line_only else file.read()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if data.startswith(_UTF16):
        raise UsageError(f"{path} is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8")
    if b"\0" in data:
        raise UsageError(f"{path} is no text file (it holds NUL bytes)")
    try:
        text = data.decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")  # lines end as on any system
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}); convert it first") from error


def _parse_header(path: Path, text: str) -> tuple[str, ...]:
    first = text.partition("\n")[0]
    delimiter = _delimiter(first)
    if first.count(delimiter) >= MAX_COLUMNS:
        raise UsageError(
            f"{path} has {first.count(delimiter) + 1} columns, more than {MAX_COLUMNS}: not a table of measurements"
        )
    try:
        columns = tuple(shown(name.strip()) for name in next(csv.reader([first], delimiter=delimiter), []))
    except csv.Error as error:
        raise UsageError(f"{path}:1: {error}") from error
    if not any(columns):
        raise UsageError(f"{path} has no header line")
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise UsageError(f"{path} has two columns named {twice!r}")
    return columns


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of every row that is not empty."""
    body = text.split("\n")
    reader = csv.reader(body, delimiter=_delimiter(body[0] if body else ""), strict=True)
    try:
        next(reader, None)
        for fields in reader:
            if any(text.strip() for text in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}") from error
