"""A `Chart` as a plotly specification of plain dictionaries (building through plotly's classes is a hundred times slower)."""

from __future__ import annotations

from inferometer.report.figures import plotly_traces
from inferometer.report.figures.chart import Chart
from inferometer.report.figures.palette import Palette
from inferometer.report.figures.plotly_layout import Spec, layout, row_names

_KINDS = {
    "lines": plotly_traces.lines,
    "fit": plotly_traces.fit,
    "dots": plotly_traces.dots,
    "boxes": plotly_traces.boxes,
    "phase_bars": plotly_traces.phase_bars,
}


def panel(chart: Chart, palette: Palette) -> Spec:
    """Return ``{"data": [...], "layout": {...}}`` for one panel in the light theme."""
    rows = row_names(chart)
    draw = _KINDS[chart.kind]
    data: list[Spec] = []
    for series in chart.series:
        style = palette.style(series.framework, series.precision)
        data += draw(chart, series, style, rows[series])
    return {"data": data, "layout": layout(chart)}
