"""Rows under load: the table, rate against latency with the promise, and energy against load; left out where there is none."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.report.figures.load_plots import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    LoadPlot,
    energy_plot,
    latency_plot,
)
from inferometer.report.page.sections import Content
from inferometer.results.under_load import LoadSummary, summarise_load
from inferometer.tables.under_load import TITLE as TABLE_TITLE
from inferometer.tables.under_load import load_notes, load_parts, ordered, shown_columns

ORDER, TITLE = 13, "Under load"


@dataclass(frozen=True)
class LoadPart:
    """What one machine and model did under load."""

    title: str  # "" where there is one only
    caption: str
    columns: tuple[tuple[str, str], ...]  # title, side
    rows: tuple[tuple[str, ...], ...]
    plots: tuple[LoadPlot, ...]
    notes: tuple[str, ...]
    width: int = WIDTH
    height: int = HEIGHT
    top: int = TOP
    left: int = LEFT
    bottom: int = BOTTOM
    right: int = RIGHT


def build(content: Content) -> tuple[LoadPart, ...] | None:
    """Return a part a machine and model; None where nothing was run under load."""
    parts = load_parts(summarise_load(content.results))
    return tuple(_part(title, found, content) for title, found in parts) or None


def _part(title: str, found: list[LoadSummary], content: Content) -> LoadPart:
    rows, columns = ordered(found), shown_columns(found)
    servers = [summary for summary in rows if summary.scenario == "server"]
    plots = (latency_plot(servers, content.palette), energy_plot(servers, content.palette))
    return LoadPart(
        title=title,
        caption=TABLE_TITLE,
        columns=tuple((title, side) for title, side, _ in columns),
        rows=tuple(tuple(text(summary).strip() for _, _, text in columns) for summary in rows),
        plots=tuple(plot for plot in plots if plot),
        notes=tuple(load_notes(found)),
    )
