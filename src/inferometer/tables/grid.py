"""A terminal table of any number of rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Row, Table
from rich.text import Text

_NOT_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class _Shown:
    """A column's texts, its header's first, and their styles."""

    texts: Sequence[str]
    styles: Sequence[str | Style]
    longest: int  # characters of the longest


class Grid(Table):
    """Rich's table, which wraps cells, and takes a millisecond a row for it; one that need not wrap is put together a line at a time.

    Both come out the same, but for colours: a line that is of one style is so as a whole.
    """

    _read: tuple[tuple[int, int], list[_Shown] | None] | None = None

    def add_texts(self, columns: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
        """Add a row a style, of texts that are shown as they are, given a column at a time."""
        for column, texts in zip(self.columns, columns, strict=True):
            column._cells.extend(map(Text, texts) if _has_markup("".join(texts)) else texts)
        self.rows.extend(Row(style=style) for style in styles)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table: quickly if every cell is text of one line and there is room for all of them, else as rich does."""
        texts = self._texts()
        if not texts:
            return super().__rich_console__(console, options)
        widths = self._widths(texts)
        if self._total(widths) > options.max_width:
            return super().__rich_console__(console, options)
        return self._lines(console, options, texts, widths)

    def natural_width(self) -> int | None:
        """Return the characters that it takes to show every cell in one line; None where a cell has several lines."""
        texts = self._texts()
        return None if texts is None else self._total(self._widths(texts))

    def _texts(self) -> list[_Shown] | None:
        """Return each column's texts, its header's first; None where one has several lines. Read once of a table that does not grow."""
        size = (len(self.columns), len(self.rows))
        if self._read is None or self._read[0] != size:
            columns = [_shown([column.header, *column.cells]) for column in self.columns]
            texts = [column for column in columns if column is not None]
            self._read = size, texts if len(texts) == len(columns) else None
        return self._read[1]

    def _widths(self, columns: Sequence[_Shown]) -> list[int]:
        """Return each column's characters without its padding."""
        return [
            max(column.min_width or 0, shown.longest)
            for column, shown in zip(self.columns, columns, strict=True)
        ]

    def _total(self, widths: Sequence[int]) -> int:
        edges = 2 if self.show_edge else 0
        return sum(widths) + sum(map(sum, self._paddings())) + len(widths) - 1 + edges

    def _paddings(self) -> list[tuple[int, int]]:
        """Return the blanks before and after each column's text."""
        _, right, _, left = self.padding
        last = len(self.columns) - 1
        return [
            (left if self.pad_edge or place > 0 else 0, right if self.pad_edge or place < last else 0)
            for place in range(len(self.columns))
        ]

    def _lines(
        self,
        console: Console,
        options: ConsoleOptions,
        columns: Sequence[_Shown],
        widths: Sequence[int],
    ) -> Iterator[Segment]:
        assert self.box is not None
        safe = console.safe_box if self.safe_box is None else self.safe_box
        box, edge, end = self.box.substitute(options, safe=safe), self.show_edge, Segment.line()
        paddings = self._paddings()
        whole = [width + sum(padding) for width, padding in zip(widths, paddings, strict=True)]
        head = console.get_style("table.header")
        if edge:
            yield from (Segment(box.get_top(whole)), end)
        texts = [
            _padded(shown.texts, width, column.justify, around)
            for shown, width, column, around in zip(columns, widths, self.columns, paddings, strict=True)
        ]
        coloured = any(any(shown.styles) for shown in columns)
        styles = zip(*[shown.styles for shown in columns], strict=True) if coloured else itertools.repeat(())
        for number, (pieces, own) in enumerate(zip(zip(*texts, strict=True), styles, strict=False)):
            row = self.rows[number - 1] if number else None
            marks = (box.mid_left, box.mid_vertical, box.mid_right)
            if row is None:
                marks = (box.head_left, box.head_vertical, box.head_right)
            elif number == len(self.rows):
                marks = (box.foot_left, box.foot_vertical, box.foot_right)
            style = (console.get_style(row.style) if row.style else None) if row else head
            yield from _line(console, pieces, own, style, marks if edge else ("", marks[1], ""))
            yield end
            if row is None:
                yield from (Segment(box.get_row(whole, "head", edge=edge)), end)
            elif row.end_section and number < len(self.rows):
                yield from (Segment(box.get_row(whole, "row", edge=edge)), end)
        if edge:
            yield from (Segment(box.get_bottom(whole)), end)


def _line(
    console: Console,
    pieces: Sequence[str],
    styles: Sequence[str | Style],
    style: Style | None,
    marks: tuple[str, str, str],
) -> Iterator[Segment]:
    """Yield a line's cells between its marks: in one piece where nothing in it has a style; no styles: none has one of its own."""
    left, middle, right = marks
    if style is None and not any(styles):
        yield Segment(left + middle.join(pieces) + right)
        return
    for place, (text, own) in enumerate(itertools.zip_longest(pieces, styles, fillvalue="")):
        yield Segment(middle if place else left)
        found = console.get_style(own) if own else Style.null()
        yield Segment(str(text), style + found if style else found)
    yield Segment(right)


def _shown(cells: Sequence[RenderableType]) -> _Shown | None:
    """Return cells as texts; None where one is something else, has several lines or spans of another style."""
    styles = [
        cell.style if isinstance(cell, Text) and not cell.spans else "" if isinstance(cell, str) else None
        for cell in cells
    ]
    if None in styles or _has_markup("".join(cell for cell in cells if isinstance(cell, str))):
        return None
    texts = [cell.plain if isinstance(cell, Text) else str(cell) for cell in cells]
    whole = "".join(texts)
    if _NOT_ONE_LINE.search(whole):
        return None
    longest = max(map(len if whole.isascii() else cell_len, texts))
    return _Shown(texts, [style or "" for style in styles], longest)


def _has_markup(text: str) -> bool:
    """Return whether rich may read more in a text than its characters."""
    return "[" in text or ":" in text


def _padded(texts: Iterable[str], width: int, justify: str, around: tuple[int, int]) -> list[str]:
    """Return a column's texts as wide as it is, with the blanks before and after."""
    before, after = (" " * count for count in around)
    return [before + _justified(text, width, justify) + after for text in texts]


def _justified(text: str, width: int, justify: str) -> str:
    if justify == "right":
        text = text.rstrip()  # as rich does, no-break spaces included
    room = width if text.isascii() else width - cell_len(text) + len(text)
    return text.rjust(room) if justify == "right" else text.ljust(room)
