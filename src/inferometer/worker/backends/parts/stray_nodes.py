"""Nodes of a model that ran elsewhere than asked, in words that every backend shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MOST_NAMED = 20


def first_named(strays: Sequence[str]) -> list[str]:
    """Return as many of the nodes, each "name (kind)", as a record holds."""
    return list(strays[:MOST_NAMED])


def flags(strays: Sequence[str], total: int) -> list[str]:
    """Return a flag that says how many of ``total`` nodes strayed, and the five commonest kinds; none without strays."""
    if not strays:
        return []
    kinds = Counter(node.rpartition("(")[2].rstrip(")") for node in strays)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    return [f"{len(strays)} of {total} nodes run on the CPU: {counted}"]
