"""A `Chart` as a plotly specification of plain dictionaries (building through plotly's classes is a hundred times slower)."""

from __future__ import annotations

from inferometer.report.figures import plotly_traces
from inferometer.report.figures.chart import Chart
from inferometer.report.figures.palette import Palette, machine_symbols
from inferometer.report.figures.plotly_layout import Spec, layout, row_names, rows_margin, text

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


# what the page's script works out again from `meta.by` and from the intervals in `customdata`
_DERIVED = {
    "lines": ("error_y",),
    "fit": ("error_y",),
    "dots": ("x", "y", "customdata", "error_x"),
    "boxes": ("x", "y", "customdata", "error_x"),
    "phase_bars": ("x", "y", "base", "customdata", "text", "marker"),
}


def compact(chart: Chart, palette: Palette) -> Spec:
    """Return a panel for the page: without what its script can derive, with what it needs to do so."""
    spec = panel(chart, palette)
    for trace in spec["data"]:
        for name in _DERIVED[chart.kind]:
            trace.pop(name, None)
        if chart.kind == "dots":
            del trace["marker"]["symbol"]
    return spec | {
        "kind": chart.kind,
        "title": chart.title or chart.x.label,
        "margin_px": rows_margin(chart),
        "first_size": chart.first_size,
        "machines": [[text(machine), symbol] for machine, symbol in machine_symbols(chart.machines).items()],
    }
