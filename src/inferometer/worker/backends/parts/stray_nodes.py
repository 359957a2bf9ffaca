"""Nodes of a model that ran elsewhere than asked, in words that every backend shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from inferometer.worker.flags import Flag, flag

MOST_NAMED = 20

Stray = tuple[str, str]  # name and kind


def first_named(strays: Sequence[Stray]) -> list[str]:
    """Return as many of the nodes, each "name (kind)", as a record holds."""
    return [f"{name} ({kind})" for name, kind in strays[:MOST_NAMED]]


def flags(strays: Sequence[Stray], total: int) -> list[Flag]:
    """Return a flag that says how many of ``total`` nodes strayed, and the five commonest kinds; none without strays."""
    if not strays:
        return []
    kinds = Counter(kind for _, kind in strays)
    commonest = kinds.most_common(5)
    return [
        flag(
            "nodes-elsewhere",
            strays=len(strays),
            total=total,
            kinds=", ".join(kind for kind, _ in commonest),
            counts=", ".join(f"{count} {kind}" for kind, count in commonest),
        )
    ]
