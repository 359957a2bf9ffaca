"""Bars of stacked parts, drawn by matplotlib: the phases of a batch."""

from __future__ import annotations

from typing import Any

from inferometer.report.figures.chart import Chart, PlotSeries
from inferometer.report.figures.palette import COPYING, Style
from inferometer.report.figures.plotly_layout import INK, SUM_AT
from inferometer.report.figures.plotly_traces import PARTS
from inferometer.units import duration


def phase_bars(axes: Any, chart: Chart, series: PlotSeries, style: Style, row: int) -> None:
    """Draw one row at the chart's first batch size."""
    for point in (p for p in series.points if p.batch_size == chart.first_size):
        left = 0.0
        for _, place, hatch in PARTS:
            share = 100 * (point.phases[place] or 0.0) / point.value
            axes.barh(row, share, 0.62, left, **_looks(hatch, style.light))
            left += share
        axes.text(left + 1, row, duration(point.value / 1e3), va="center", fontsize=8, color=INK)


def explain_parts(axes: Any, chart: Chart) -> None:
    """Fit the axis to shares, and name the parts in the legend."""
    if chart.kind != "phase_bars":
        return
    axes.grid(visible=False, axis="y")  # lines would go through the sums
    axes.set_xlim(0, SUM_AT)
    axes.set_xticks(range(0, 101, 20))
    for label, _, hatch in PARTS:
        axes.barh(0, 0, label=label, **_looks(hatch, INK))


def _looks(hatch: str, colour: str) -> dict[str, Any]:
    if not hatch:
        return {"color": colour}
    return {"facecolor": "white", "edgecolor": COPYING, "hatch": 4 * hatch, "linewidth": 0.8}
