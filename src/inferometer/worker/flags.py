"""Flags as a worker sends them: what a reader of the cell must know, as data (`inferometer.flags` has the words)."""

from __future__ import annotations

from typing import Any

Flag = dict[str, Any]


def flag(kind: str, scope: str = "cell", **values: float | int | str) -> Flag:
    """Return a flag of a kind that the core knows; ``values`` in SI units."""
    return {"kind": kind, "scope": scope, "values": values}
