"""The heat map: rows are frameworks by rank, columns batch sizes, a facet a machine; a cell is its share of the best throughput."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.palette import Palette
from inferometer.report.page.grid_rows import SHADES
from inferometer.report.page.verdict import reading
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import THROUGHPUT
from inferometer.tables.overview import skip_reason


@dataclass(frozen=True)
class HeatCell:
    """One place: a share with its two shades, or why there is none."""

    key: str
    text: str  # "87 %", or a word
    said: str  # the same in full: value and interval, or the cause
    shade: int | None = None  # within its machine and batch size
    shade_all: int | None = None  # within its batch size over all machines
    best: bool = False
    tie: bool = False  # with the best


@dataclass(frozen=True)
class HeatRow:
    """One framework at one precision."""

    index: int
    label: str
    cells: tuple[HeatCell | None, ...]  # None: not asked for


@dataclass(frozen=True)
class HeatMap:
    """One machine."""

    machine: str
    sizes: tuple[int, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True)
class Skipped:
    """Rows that no machine measured at any batch size, all for one reason."""

    rows: tuple[str, ...]
    reason: str


def heat_maps(results: Results, model: str, mode: str, palette: Palette) -> tuple[HeatMap, ...]:
    """Return a heat map for every machine of a section that measured something."""
    cells = results.select(model=model, mode=mode)
    tops = _tops(cells, lambda cell: (cell.machine, cell.cell.batch_size))
    tops_all = _tops(cells, lambda cell: ("", cell.cell.batch_size))
    absent = {row for one in skipped_everywhere(cells) for row in one.rows}
    machines = dict.fromkeys(cell.machine for cell in cells if cell.ranked)
    return tuple(
        _heat_map(
            machine,
            [c for c in cells if c.machine == machine and c.row not in absent],
            tops,
            tops_all,
            palette,
        )
        for machine in machines
    )


def skipped_everywhere(cells: Iterable[CellSummary]) -> tuple[Skipped, ...]:
    """Return the rows that are skipped in all cells, those of one reason together."""
    rows: dict[str, list[CellSummary]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell)
    reasons: dict[str, list[str]] = {}
    for row, own in rows.items():
        if all(cell.status == "skipped" for cell in own):
            reasons.setdefault("; ".join(dict.fromkeys(map(skip_reason, own))), []).append(row)
    return tuple(Skipped(tuple(names), reason) for reason, names in reasons.items())


def _tops(
    cells: Sequence[CellSummary], key: Callable[[CellSummary], tuple[str, int]]
) -> dict[tuple[str, int], float]:
    tops: dict[tuple[str, int], float] = {}
    for cell in cells:
        if cell.ranked and cell.throughput:
            tops[key(cell)] = max(tops.get(key(cell), 0.0), cell.throughput.value)
    return tops


def _heat_map(
    machine: str,
    cells: Sequence[CellSummary],
    tops: dict[tuple[str, int], float],
    tops_all: dict[tuple[str, int], float],
    palette: Palette,
) -> HeatMap:
    sizes = tuple(sorted({cell.cell.batch_size for cell in cells}))
    rows: dict[str, dict[int, CellSummary]] = {}
    for cell in cells:
        rows.setdefault(cell.row, {})[cell.cell.batch_size] = cell
    ranked = sorted(rows.items(), key=lambda item: -_standing(item[1].values(), tops))
    return HeatMap(
        machine,
        sizes,
        tuple(
            HeatRow(
                palette.index(framework_label(next(iter(own.values())))),
                row,
                tuple(_cell(own[size], tops, tops_all) if size in own else None for size in sizes),
            )
            for row, own in ranked
        ),
    )


def _standing(cells: Iterable[CellSummary], tops: dict[tuple[str, int], float]) -> float:
    """Return by what rows are ranked: their mean share of the fastest."""
    shares = [_share(cell, tops[cell.machine, cell.cell.batch_size]) for cell in cells if cell.ranked]
    return sum(shares) / len(shares) if shares else -1.0


def _share(cell: CellSummary, top: float) -> float:
    return cell.throughput.value / top if cell.throughput and top else 0.0


def _cell(
    cell: CellSummary, tops: dict[tuple[str, int], float], tops_all: dict[tuple[str, int], float]
) -> HeatCell:
    if not cell.ranked or cell.throughput is None:
        return HeatCell(cell.key, cell.status, f"{cell.name}: {cell.status}: {cell.cause}".rstrip(": "))
    share = _share(cell, tops[cell.machine, cell.cell.batch_size])
    of_all = _share(cell, tops_all["", cell.cell.batch_size])
    standing = "the best of its batch size" if cell.best else "may be as good as the best" if cell.tie else ""
    said = [reading(cell.throughput, THROUGHPUT), f"{100 * share:.3g} % of the best", standing]
    return HeatCell(
        cell.key,
        f"{100 * share:.0f} %" if share >= 0.01 else "<1 %",
        f"{cell.name}: {', '.join(filter(None, said))}",
        round(SHADES * share),
        round(SHADES * of_all),
        cell.best,
        cell.tie and not cell.best,
    )
