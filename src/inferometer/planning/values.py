"""Values as users write them, on the command line or in Python, read into what a request holds; UsageError in one line."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, cast

from inferometer.errors import UsageError

_LARGEST_DIMENSION = 2**31 - 1


def whole(option: str, value: SupportsIndex) -> int:
    """Return a whole number of any kind (numpy's too) as Python's; UsageError for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{option} {value!r} is no whole number") from None


def real(option: str, value: SupportsFloat) -> float:
    """Return a number of any kind (numpy's too) as Python's; UsageError for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{option} {value!r} is no number") from None


def durations(option: str, value: str | SupportsFloat | Iterable[str | SupportsFloat]) -> tuple[float, ...]:
    """Return seconds, ascending, from "20ms", "10ms,1.5s", numbers of seconds, or several of these; UsageError for text without a unit."""
    if isinstance(value, str):
        several: Iterable[str | SupportsFloat] = names(option, value)
    else:
        several = value if isinstance(value, Iterable) else (value,)
    return tuple(sorted({_duration(option, each) for each in several}))


def _duration(option: str, value: str | SupportsFloat) -> float:
    if not isinstance(value, str):
        return real(option, value)
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*(s|ms|us|µs|)\s*", value)
    if not found:
        raise UsageError(f"{option} '{value}' is no time: write 20ms or 0.5s")
    if not found[2]:
        raise UsageError(f"{option} {value} has no unit: write {found[1]}ms or {found[1]}s")
    return float(found[1]) * {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}[found[2]]


def milliseconds(option: str, value: str | SupportsFloat | Iterable[SupportsFloat]) -> tuple[float, ...]:
    """Return seconds from "0,2", 2 or [0, 2], which are milliseconds."""
    if isinstance(value, str):
        several: Iterable[SupportsFloat] = [cast("SupportsFloat", part) for part in names(option, value)]
    else:
        several = value if isinstance(value, Iterable) else (value,)
    return tuple(sorted({real(option, each) / 1e3 for each in several}))


def within(option: str, value: int, least: int, most: int) -> None:
    """Raise UsageError for a number below ``least`` or above ``most``."""
    if value < least:
        raise UsageError(f"{option} {value} is too small: give at least {least}")
    if value > most:
        raise UsageError(f"{option} {_digits(value)} is too large: give at most {most}")


def _digits(value: int) -> str:
    """Return a number for a message; Python writes none of thousands of digits."""
    return str(value) if value < 10**30 else "of more than 30 digits"


def names(option: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names in "a,b", or in several texts."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def paths(option: str, value: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    """Return one path or several; UsageError for an empty one."""
    several = (value,) if isinstance(value, str | Path) else tuple(value)
    if "" in several:  # the current folder, if it became a path
        raise UsageError(f"{option}: the path is empty; give a photo or a folder of them, or leave it out")
    return tuple(Path(path) for path in several)


def sizes(option: str, value: Mapping[str, SupportsIndex]) -> dict[str, int]:
    """Return the size of each symbolic dimension."""
    return {name: whole(f"{option.removeprefix('--')} {name}", size) for name, size in value.items()}


def ranges(
    option: str, value: Mapping[str, tuple[SupportsFloat, SupportsFloat] | SupportsFloat]
) -> dict[str, tuple[float, float]]:
    """Return the lowest and the highest value of each input; one number is both."""
    pairs = {
        name: limits if isinstance(limits, tuple | list) else (limits, limits)
        for name, limits in value.items()
    }
    return {
        name: (real(f"range of {name}", low), real(f"range of {name}", high))
        for name, (low, high) in pairs.items()
    }


def axes(option: str, value: Mapping[str, SupportsIndex | None]) -> dict[str, int | None]:
    """Return the axis of each input, None for none."""
    return {
        name: None if axis is None else whole(f"{option.removeprefix('--')} {name}", axis)
        for name, axis in value.items()
    }


def word_axes(option: str, words: Iterable[str]) -> dict[str, int | None]:
    """Return the command line's NAME=AXIS and NAME=none words by name."""
    pairs = word_pairs(option, words)
    for name, text in pairs.items():
        if text != "none" and not re.fullmatch(r"[0-9]{1,2}", text):
            raise UsageError(f"{option} {name}={text}: an axis is a whole number from 0, or none")
    return {name: None if text == "none" else int(text) for name, text in pairs.items()}


def word_pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    """Return the command line's NAME=VALUE words by name."""
    pairs = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if not (name and equals and rest):
            raise UsageError(f"{option} '{word}' is not of the form NAME=VALUE")
        pairs[name] = rest
    return pairs


def word_sizes(option: str, words: Iterable[str]) -> dict[str, int]:
    """Return the command line's NAME=N words by name."""
    pairs = word_pairs(option, words)
    for name, text in pairs.items():
        if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= _LARGEST_DIMENSION:
            raise UsageError(
                f"{option} {name}={text}: a dimension is a whole number from 1 to {_LARGEST_DIMENSION}"
            )
    return {name: int(text) for name, text in pairs.items()}


def word_ranges(option: str, words: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the command line's NAME=LOW:HIGH words by name; NAME=VALUE is from a value to itself."""
    found = {}
    for name, text in word_pairs(option, words).items():
        try:
            low, *rest = (float(part) for part in text.split(":"))
            (high,) = rest or [low]
        except ValueError:
            raise UsageError(
                f"{option} {name}={text} is not of the form NAME=LOW:HIGH or NAME=VALUE"
            ) from None
        if rest and not low < high:
            raise UsageError(f"{option} {name}={text}: LOW must be below HIGH")
        found[name] = (low, high)
    return found


def batch_sizes(
    option: str, value: str | SupportsIndex | Iterable[SupportsIndex], noun: str = "batch size"
) -> tuple[int, ...]:
    """Return ascending sizes from text (`parse_batch_sizes`), one number or several; UsageError for anything else."""
    if isinstance(value, str):
        return parse_batch_sizes(value, noun)
    try:
        several = list(cast("Iterable[SupportsIndex]", value))
    except TypeError:  # one number; numpy's arrays of no dimension cannot be iterated over either
        several = [cast("SupportsIndex", value)]
    if not several:
        raise UsageError(f"{option} is empty; give a number, or leave it out")
    return tuple(sorted({whole(noun, size) for size in several}))


def parse_batch_sizes(text: str, noun: str = "batch size") -> tuple[int, ...]:
    """Return ascending sizes from '8,16,64' or '8..512' (powers of two from the first to the last)."""
    found: set[int] = set()
    for part in (part.strip() for part in text.split(",")):
        span = re.fullmatch(r"(\d{1,30})\.\.(\d{1,30})", part)
        if span:
            found |= set(_doubling(int(span[1]), int(span[2]), part))
        elif re.fullmatch(r"-?\d{1,30}", part):
            found.add(int(part))
        else:
            raise UsageError(f"{noun} '{part}' is no whole number and no span: write 8,16,32 or 8..512")
    return tuple(sorted(found))


def _doubling(first: int, last: int, text: str) -> Iterable[int]:
    if not 1 <= first <= last:
        raise UsageError(
            f"batch sizes '{text}': a span goes from at least 1 up to a larger number, as in 8..512"
        )
    size = first
    while size <= last:
        yield size
        size *= 2
