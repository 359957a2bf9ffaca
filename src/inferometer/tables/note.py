"""What a footnote is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A footnote, and what is behind it, a sentence each."""

    words: str
    details: tuple[str, ...] = ()
