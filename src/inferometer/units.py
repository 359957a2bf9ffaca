"""Formatting of quantities for people; stored values stay in SI units."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

_DURATIONS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


@functools.lru_cache(maxsize=1 << 16)  # tables, figures and evidence show the same values
def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, thousands separated, never in exponent form."""
    if not math.isfinite(value):
        return "n/a"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))  # 999.99 has become 1,000
    return f"{rounded:,.{max(decimals, 0)}f}"


def scaled(count: float) -> str:
    """Return a count with three digits and a decimal prefix: '25.6 M', '4.09 G', '960'."""
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * scale:
            return f"{significant(count / scale)} {prefix}"
    return f"{count:g}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: '1 cell', '1,200 cells', '2 batches'."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def duration(seconds: float) -> str:
    """Return seconds as a short text in the unit that suits: '12.3 ms', '4 min 05 s'."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    for scale, unit in _DURATIONS:
        if abs(seconds) >= scale:
            return f"{significant(seconds / scale)} {unit}"
    return "0 s"


def size(count: float) -> str:
    """Return bytes as a short text with a binary unit: '1.4 GiB'."""
    for unit in _BINARY:
        if abs(count) < 1024 or unit == _BINARY[-1]:
            return f"{significant(count)} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return for each first text the second ones that come with it, each once, in their order."""
    groups: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        groups.setdefault(key, {})[name] = None
    return {key: list(names) for key, names in groups.items()}


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)
