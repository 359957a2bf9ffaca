"""Texts that are alike but for their numbers, told as one: "warm-up cut at 7 to 37 of 50 batches"."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")


def shape(text: str) -> str:
    """Return what a text has in common with those that differ from it in numbers only."""
    return _NUMBER.sub("#", text)


def spanned(texts: Sequence[str]) -> str:
    """Return texts that are alike but for their numbers as one, with the span of each number that differs."""
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = iter([_span(sorted(set(column), key=float)) for column in columns])
    return _NUMBER.sub(lambda _: next(spans), texts[0])


def _span(numbers: Sequence[str]) -> str:
    return numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
