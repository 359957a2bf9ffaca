"""Strangers' text made harmless where it is shown: control characters in terminals, formulas in spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# control characters but tab and newline, and those that turn the direction of writing
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ESCAPED = re.compile(
    rb"(?<!\\)((?:\\\\)*)\\(?:u00(0[0-8b-f]|1[0-9a-f]|7f|[89][0-9a-f])|(u202[a-e]|u206[6-9])|([bfr]))", re.I
)
_SHORT = {b"b": b"x08", b"f": b"x0c", b"r": b"x0d"}  # JSON's own words for some
_ESCAPES = (b"\\u00", b"\\u20", b"\\b", b"\\f", b"\\r")
_RAW = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one


def shown(text: str) -> str:
    r"""Return a text whose control characters are shown instead of sent: an escape is the four characters \x1b."""
    return _CONTROL.sub(lambda found: _code(ord(found[0])), text)


def shown_json(data: bytes) -> bytes:
    """Return JSON whose texts hold no control characters: each is replaced as `shown` does. Other bytes stay as they are."""
    if b"\\" in data and any(word in data for word in _ESCAPES):  # one byte is found in a tenth of the time
        data = _ESCAPED.sub(_escaped_code, data)
    if (
        b"\x7f" in data
        or b"\xc2" in data
        or (b"\xe2" in data and (b"\xe2\x80" in data or b"\xe2\x81" in data))
    ):
        data = _RAW.sub(_raw_code, data)
    return data


def _escaped_code(found: re.Match[bytes]) -> bytes:
    before, number, turning, short = found.groups()
    code = b"x" + number if number else turning or _SHORT[short]
    return bytes(before) + rb"\\" + code.lower()


def _raw_code(found: re.Match[bytes]) -> bytes:
    return ("\\" + _code(ord(found[0].decode()))).encode()


def _code(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def for_spreadsheets(text: str) -> str:
    """Return a text that a spreadsheet takes as text; numbers stay numbers."""
    if not text.startswith(_FORMULA) or _is_number(text):
        return text
    return f"'{text}"


def text_cells(cells: Iterable[Any]) -> list[Any]:
    """Return the cells of a line of CSV, whose texts a spreadsheet takes as texts."""
    return [for_spreadsheets(cell) if isinstance(cell, str) else cell for cell in cells]


def text_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of CSV by its columns, whose texts a spreadsheet takes as texts."""
    return dict(zip(row, text_cells(row.values()), strict=True))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
