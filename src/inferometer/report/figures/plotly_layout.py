"""The frame of one panel as a plotly layout: axes, rows, fonts, and names that plotly shows literally."""

from __future__ import annotations

from typing import Any

from inferometer.report.figures.chart import BY_ROWS, SPAN_OF_DIGITS, Axis, Chart, PlotSeries

Spec = dict[str, Any]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, GRID = "#3c4248", "#e3e6e9"
ROW_PX, ROWS_MARGIN_PX = 24, 64
TOOLBAR_PX = 22  # of plotly, above bars whose sums stand where it would be
SUM_AT = 120  # % of a bar's length: room for its sum


def layout(chart: Chart) -> Spec:
    """Return the layout of one panel."""
    by_rows = chart.kind in BY_ROWS
    spec: Spec = {
        "margin": {"l": 74, "r": 14, "t": 8 + _above(chart), "b": 48},
        "hovermode": "closest",
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12.5, "color": INK},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12.5}},
        "xaxis": _axis(chart.x, _span(chart)),
        "yaxis": _rows_axis(chart) if by_rows else _axis(chart.y, _span(chart)),
        "dragmode": False,
        "height": len(chart.series) * ROW_PX + rows_margin(chart) if by_rows else 380,
    }
    if chart.kind == "phase_bars":
        spec["barmode"] = "overlay"  # every part of a bar says where it begins
        spec["xaxis"] |= {"range": [0, SUM_AT], "tickvals": [0, 20, 40, 60, 80, 100]}
        spec["yaxis"]["showgrid"] = False  # lines would go through the sums
    return spec


def rows_margin(chart: Chart) -> int:
    """Return the height of a panel by rows beyond that of its rows."""
    return ROWS_MARGIN_PX + _above(chart)


def _above(chart: Chart) -> int:
    return TOOLBAR_PX if chart.kind == "phase_bars" else 0


def _span(chart: Chart) -> float:
    """Return how many times the least value the largest is; a logarithmic axis shows no others than above 0."""
    points = [point for series in chart.series for point in series.points]
    values = [value for point in points for value in point.quantiles or (point.value,) if value > 0]
    return max(values, default=1.0) / min(values, default=1.0)


def _axis(axis: Axis, span: float) -> Spec:
    spec: Spec = {
        "title": {"text": text(axis.title), "standoff": 10},
        "type": "log" if axis.log else "linear",
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
        "linecolor": GRID,
        "tickformat": ",~r",
        "exponentformat": "none",
    }
    if axis.ticks:
        spec |= {
            "tickvals": list(axis.ticks),
            "ticktext": [f"{tick:g}" for tick in axis.ticks],
            "tickangle": 0,
        }
    elif axis.log:
        spec |= {"dtick": "D2"} if span >= SPAN_OF_DIGITS else {}  # else plotly takes even steps
    else:
        spec |= {"rangemode": "tozero"}
    return spec


def _rows_axis(chart: Chart) -> Spec:
    names = list(row_names(chart).values())
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": names[::-1],
        "automargin": True,  # the page sets a margin of its own instead
        "gridcolor": GRID,
        "zeroline": False,
        "tickmode": "linear",
        "dtick": 1,
        "ticklabelstandoff": 6,
    }


def row_names(chart: Chart) -> dict[PlotSeries, str]:
    """Return how each series is called in this panel: the precision is left out where there is but one."""
    several = len({series.precision for series in chart.series}) > 1
    return {series: text(series.name if several else series.framework) for series in chart.series}


def text(name: str) -> str:
    """Return ``name`` so that plotly, which renders a subset of HTML, shows it literally."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "%&#8203;{")
