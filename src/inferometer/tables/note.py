"""What a footnote is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A footnote, and what is behind it, a sentence each."""

    words: str
    details: tuple[str, ...] = ()


def not_judged(names: str, better: str, *, all_of_them: bool) -> str:
    """Return what is said of rows of which nothing tells how they compare with the best: who they are, where others are judged."""
    unknown = "how much another run would differ is not known"
    return (
        f"which row is {better} is not judged: {unknown}"
        if all_of_them
        else f"not judged, as {unknown}: {names}"
    )
