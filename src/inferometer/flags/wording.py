"""Flags in words: those of one kind are told as one, with the spans of their numbers."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Generic, TypeVar

from inferometer.flags.flag import Flag, Value
from inferometer.flags.kinds import KINDS, Kind
from inferometer.units import counted, duration

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True)
class Told(Generic[Who]):
    """Flags that are told as one: in words, what is behind them, and whom they concern."""

    words: str
    details: tuple[str, ...]
    whom: tuple[Who, ...]


def group(flags: Iterable[tuple[Flag, Who]]) -> list[Told[Who]]:
    """Return (flag, whom it concerns) as they are told, in the order in which each first came."""
    groups: dict[Hashable, list[tuple[Flag, Who]]] = {}
    for found, who in flags:
        groups.setdefault(group_key(found), []).append((found, who))
    return [
        Told(words(*alike), details(*alike), tuple(dict.fromkeys(who for _, who in pairs)))
        for pairs in groups.values()
        if (alike := [found for found, _ in pairs])
    ]


def group_key(found: Flag) -> Hashable:
    """Return what flags have in common that are told as one: kind, scope, and the texts among the values shown."""
    shown = [name for part in _parts(found, _told_as(found).words) for name in _names(part)]
    return (
        found.kind,
        found.scope,
        *((n, v if isinstance(v := found.values[n], str) else None) for n in shown),
    )


def words(*alike: Flag) -> str:
    """Return flags of one `group_key` in words."""
    return "".join(_filled(alike, _told_as(alike[0]).words))


def details(*alike: Flag) -> tuple[str, ...]:
    """Return what is behind flags of one `group_key`, a sentence each."""
    return tuple(_filled(alike, _told_as(alike[0]).details))


def _told_as(found: Flag) -> Kind:
    """Return how a flag is told; of a kind unknown here, or without a value that its kind names, by its values."""
    known = KINDS.get(found.kind)
    if known and _parts(found, known.words[:1]):
        return known
    names = (f"{name} {{{name}}}" for name in found.values if name.isidentifier())
    return Kind((": ".join(filter(None, (found.kind.replace("-", " "), ", ".join(names)))),))


def _parts(found: Flag, parts: Sequence[str]) -> list[str]:
    return [part for part in parts if _names(part) <= found.values.keys()]


def _filled(alike: Sequence[Flag], parts: Sequence[str]) -> list[str]:
    filled = []
    for part in parts:
        able = [found for found in alike if _names(part) <= found.values.keys()]
        if able:
            spans = {name: _Span([found.values[name] for found in able]) for name in _names(part)}
            filled.append(part.format(**spans))
    return filled


@functools.cache
def _names(part: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(part) if name)


_SHOWN = {
    "percent": lambda value: f"{100 * value:.0f}",
    "ms": lambda value: f"{1e3 * value:.4g}",
    "mhz": lambda value: f"{value / 1e6:.0f}",
    "gib": lambda value: f"{value / 2**30:.1f}",
    "duration": duration,
}


class _Span:
    """One value of several flags: a number by its span, texts one after the other."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values

    def __format__(self, how: str) -> str:
        numbers = [value for value in self._values if not isinstance(value, str)]
        if len(numbers) < len(self._values):
            return ", ".join(dict.fromkeys(map(str, self._values)))
        low, high = min(numbers), max(numbers)
        if how.startswith("of "):
            return f"{low} to {counted(int(high), how[3:])}" if low < high else counted(int(high), how[3:])
        show = _SHOWN.get(how) or (lambda value: format(value, how))
        first, last = show(low), show(high)
        return first if first == last else f"{first} to {last}"
