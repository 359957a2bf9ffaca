"""Causes of failures that differ in their numbers only, told as one: free text of frameworks, whose words we do not choose."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Who = TypeVar("Who", bound=Hashable)

# numbers by themselves: not the digits of cuda:1, uint8, an identifier or a version
_NUMBER = re.compile(r"(?<![\w:.\-])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w:\-]|\.\d)")


def shape(text: str) -> str:
    """Return what a text has in common with those that differ from it in numbers only."""
    return _NUMBER.sub("#", text)


def spanned(texts: Sequence[str]) -> str:
    """Return texts of one shape as one, with the span of each number that differs."""
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = iter([_span(column) for column in columns])
    return _NUMBER.sub(lambda _: next(spans), texts[0])


def _span(numbers: Iterable[str]) -> str:
    ordered = sorted(set(numbers), key=lambda text: float(text.replace(",", "")))
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def group_similar(notes: Iterable[tuple[str, Who]]) -> list[tuple[str, list[Who]]]:
    """Return (text, whom it concerns) for pairs of them: one text for all of one shape, in the order they came."""
    groups: dict[str, list[tuple[str, Who]]] = {}
    for note, who in notes:
        groups.setdefault(shape(note), []).append((note, who))
    return [
        (spanned([note for note, _ in group]), list(dict.fromkeys(who for _, who in group)))
        for group in groups.values()
    ]
