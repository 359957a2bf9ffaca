"""A history for the terminal and for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from inferometer.comparison.history import History, Line, Point
from inferometer.comparison.wording import percent, word
from inferometer.escapes import text_cells
from inferometer.results.metrics import Metric
from inferometer.tables.grid import Grid
from inferometer.units import counted

_STYLES = {"better": "green", "repaired": "green", "worse": "bold red", "broken": "bold red"}


def to_text(found: History) -> Iterator[RenderableType]:
    """Return a row a cell: its first and last value, its versions and its last change; then every change."""
    grid, scale = Grid(show_edge=False, pad_edge=False), found.scale
    for title in ("Cell", "Runs", f"First ({scale.unit})", "Last", "Versions", "Changes"):
        grid.add_column(title, justify="left" if title in ("Cell", "Versions") else "right")
    for line in found.lines:
        ends = [scale.show(p.estimate.value) for p in line.points if p.estimate]
        row = (
            found.title_of(line),
            str(len(line.points)),
            ends[0] if ends else _without(line.points[0], found.metric),
            ends[-1] if ends and line.points[-1].estimate else _without(line.points[-1], found.metric),
            versions(line),
            str(len(line.changes)) if line.changes else "",
        )
        grid.add_row(*map(Text, row))
    yield Text(f"{found.metric.title} over {counted(found.runs, 'run')}", style="bold")
    if grid.row_count:
        yield grid
    for line in found.lines:
        for point in line.changes:
            assert point.change
            yield Text(
                f"{found.title_of(line)}: {told(point, found.metric)}",
                style=_STYLES[point.change.verdict],
            )


def _without(point: Point, metric: Metric) -> str:
    """Return why a point has no figure, shortly."""
    summary = point.summary
    return metric.why_none(summary)[0] if summary.measured else summary.status


def versions(line: Line) -> str:
    """Return the framework's versions in the order they came: "1.29.0, 1.30.0"."""
    return ", ".join(dict.fromkeys(point.version for point in line.points if point.version))


def told(point: Point, metric: Metric) -> str:
    """Return what changed at a point: "2026-11-20, 1.30.0: slower, -3.1 % (-3.9 to -2.3)"."""
    change = point.change
    assert change
    where = ", ".join(part for part in (point.at[:10] or point.path.name, point.version) if part)
    figures = percent(change) or change.reason
    return f"{where}: {word(change, metric)}, {figures}" if figures else f"{where}: {word(change, metric)}"


COLUMNS = (
    "machine", "model", "framework", "precision", "batch_size", "mode", "device", "run", "created_at", "version", "status",
    "metric", "unit", "value", "low", "high", "rounds", "verdict", "ratio", "ratio_low", "ratio_high", "p", "model_hash",
)  # fmt: skip


def to_csv(found: History) -> str:
    """Return a row a cell and run, in SI units; the verdict is against the runs before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in found.lines:
        _, model, framework, precision, size, mode, device = line.cell_name
        for point in line.points:
            estimate, change = point.estimate, point.change
            figures = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
            ratios = (change.ratio, change.low, change.high, change.p) if change else (None,) * 4
            names = (line.machine, model, framework, precision, size, mode, device, str(point.path))
            facts = (point.at, point.version, point.summary.status, found.metric.name, found.metric.unit)
            verdict = change.verdict if change else ""
            hashed = point.summary.model_hash
            cells = (*names, *facts, *figures, point.summary.rounds, verdict, *ratios, hashed)
            writer.writerow(text_cells(cells))
    return text.getvalue()
