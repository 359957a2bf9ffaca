"""A table's footnotes, each told once."""

from __future__ import annotations

from collections.abc import Iterable

from inferometer.alike import shape, spanned


class Remarks:
    """Footnotes, numbered from 1 as they come."""

    def __init__(self) -> None:
        self._texts: dict[
            tuple[str, str], list[str]
        ] = {}  # what makes one footnote -> all that is told by it

    def exactly(self, text: str) -> tuple[int, ...]:
        """Return the number of a text that stands for itself; () for an empty one."""
        return (self._number(("text", text), text),) if text else ()

    def alike(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Return the numbers of texts, ascending; those that differ in numbers only share one, which tells their span."""
        return tuple(sorted({self._number(("shape", shape(text)), text) for text in texts}))

    def _number(self, key: tuple[str, str], text: str) -> int:
        self._texts.setdefault(key, []).append(text)
        return list(self._texts).index(key) + 1

    def told(self) -> tuple[str, ...]:
        """Return the footnotes in the order of their numbers."""
        return tuple(
            spanned(texts) if kind == "shape" else texts[0] for (kind, _), texts in self._texts.items()
        )
