"""Whether a cell found code that an earlier worker of this run had compiled for it."""

from __future__ import annotations

from pathlib import Path

from inferometer.records import Cell


class CompileCache:
    """Remembers which shapes workers of this run were asked to compile."""

    def __init__(self) -> None:
        self._asked: set[tuple[str, str, str, int]] = set()

    def is_filled(self, folder: Path) -> bool:
        """Return whether earlier workers left any file in a framework's folder for one device."""
        return any(path.is_file() for path in folder.rglob("*"))

    def was_asked(self, cell: Cell) -> bool:
        """Return whether this cell's shape was compiled before, in any mode; from now on it was."""
        shape = (cell.framework, cell.precision, cell.device, cell.batch_size)
        known = shape in self._asked
        self._asked.add(shape)
        return known
