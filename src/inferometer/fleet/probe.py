"""The first question to a node, sent by value: it is answered where inferometer is missing or another version."""

from __future__ import annotations

from typing import Any


def look() -> dict[str, Any]:
    """Return the version of inferometer on this node, "" where there is none."""
    try:
        from inferometer.version import __version__
    except ImportError:
        return {"version": ""}
    return {"version": __version__}
