"""Standard output as it may be: closed, a terminal or a pipe that knows few characters, a reader that leaves, a full disk."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import unicodedata

_PLAIN = {
    "±": "+-", "×": "x", "µ": "u", "μ": "u", "≈": "~", "≤": "<=", "≥": ">=", "→": "->", "…": "...", "–": "-", "—": "-",
    "─": "-", "│": "|", "★": "#", "▲": "^", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "*", "²": "2", "³": "3",
}  # fmt: skip


def open_closed_streams() -> None:
    """Send what goes to a closed stream (`>&-`) nowhere: else the next file opened, of a run say, would take its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def write_plainly_where_needed() -> None:
    """Let both streams replace a character that their encoding lacks by plain ones, instead of failing over it."""
    codecs.register_error("inferometer.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower()
        if isinstance(stream, io.TextIOWrapper) and not encoding.startswith("utf"):
            stream.reconfigure(errors="inferometer.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return plain characters for those that cannot be encoded (an error handler of `codecs`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character) or _without_accent(character) for character in text), error.end


def _without_accent(character: str) -> str:
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def forget_output() -> None:
    """Send what is still to be written nowhere, so that the interpreter does not fail over it when it ends."""
    with contextlib.suppress(OSError, ValueError):  # a stream that is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
