"""A table's footnotes, each told once."""

from __future__ import annotations

from collections.abc import Iterable

from inferometer.results.similar_remarks import shape, spanned


class Footnotes:
    """Footnotes, numbered from 1 as they come."""

    def __init__(self) -> None:
        # what makes one footnote -> its number, and all texts that it stands for
        self._notes: dict[tuple[str, str], tuple[int, list[str]]] = {}

    def exactly(self, text: str) -> tuple[int, ...]:
        """Return the number of a text that stands for itself; () for an empty one."""
        return (self._number(("text", text), text),) if text else ()

    def number(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Return the numbers of texts, ascending; those that differ in numbers only share one, which tells their span."""
        return tuple(sorted({self._number(("shape", shape(text)), text) for text in texts}))

    def _number(self, key: tuple[str, str], text: str) -> int:
        number, texts = self._notes.setdefault(key, (len(self._notes) + 1, []))
        texts.append(text)
        return number

    def texts(self) -> tuple[str, ...]:
        """Return the footnotes in the order of their numbers."""
        return tuple(
            spanned(texts) if kind == "shape" else texts[0] for (kind, _), (_, texts) in self._notes.items()
        )
