"""The cells that the figures of one section are made of, and the words for those that a figure cannot show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from inferometer.report.figures.colours import framework_label
from inferometer.results.cells import CellSummary
from inferometer.units import counted


@dataclass(frozen=True)
class SectionCells:
    """The measured cells of one model and mode, grouped for drawing."""

    machines: tuple[str, ...]
    cells: tuple[CellSummary, ...]

    def rows(self, machine: str | None = None) -> dict[tuple[str, str], list[CellSummary]]:
        """Return the cells by (framework, precision), sorted, of one machine or of all."""
        rows: dict[tuple[str, str], list[CellSummary]] = {}
        for cell in self.cells:
            if machine is None or cell.machine == machine:
                rows.setdefault((framework_label(cell), cell.cell.precision), []).append(cell)
        order = {precision: place for place, precision in enumerate(("fp32", "tf32", "fp16", "bf16", "int8"))}
        return dict(sorted(rows.items(), key=lambda item: (item[0][0], order.get(item[0][1], 9), item[0][1])))


def left_out(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a sentence a reason: how many cells it keeps out on which machines."""
    reasons: dict[str, Counter[str]] = {}
    for machine, reason in pairs:
        reasons.setdefault(reason, Counter())[machine] += 1
    return tuple(
        f"Not shown: {', '.join(_cells_on(machine, number) for machine, number in counts.items())}: {reason}"
        for reason, counts in reasons.items()
    )


def _cells_on(machine: str, number: int) -> str:
    return f"{counted(number, 'cell')} on {machine}"
