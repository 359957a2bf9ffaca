"""A chart as the page's script takes it: plain numbers at five digits, which are more than a picture shows."""

from __future__ import annotations

from typing import Any

from inferometer.report.figures.chart import Axis, Chart, PlotSeries, Point
from inferometer.report.figures.legend_symbols import dash_array
from inferometer.report.figures.palette import Palette
from inferometer.report.figures.rounding import numbers
from inferometer.units import duration

Data = dict[str, Any]


def chart_data(chart: Chart, palette: Palette) -> Data:
    """Return a chart for the page.

    A point is, by kind: lines and dots [size, value, low, high]; fit [size, power, low, high, speed, low, high]; boxes [size, 5, 25, 50, 75, 95, 99 %]; phase_bars [size, copy in, enqueue, compute, copy out, their sum in words].
    """
    several = len({series.precision for series in chart.series}) > 1
    return {
        "kind": chart.kind,
        "title": chart.title or chart.x.label,
        "x": _axis(chart.x),
        "y": _axis(chart.y),
        "first_size": chart.first_size,
        "series": [_series(chart, series, palette, several=several) for series in chart.series],
    }


def _axis(axis: Axis) -> Data:
    return {"title": axis.title, "log": axis.log, "ticks": list(axis.ticks)}


def _series(chart: Chart, series: PlotSeries, palette: Palette, *, several: bool) -> Data:
    style = palette.style(series.framework, series.precision)
    return {
        "f": palette.index(series.framework),
        "look": style.index,
        "p": series.precision,
        "name": series.name if several else series.framework,
        "symbol": style.symbol,
        "fill": style.fill,
        "dash": dash_array(style),
        "fit": [series.fit.slope, series.fit.intercept, series.fit.r2] if series.fit else None,
        "points": [_point(chart, point) for point in sorted(series.points, key=_place)],
    }


def _place(point: Point) -> tuple[int, str]:
    return point.batch_size, str(point.at) if isinstance(point.at, str) else ""


def _point(chart: Chart, point: Point) -> list[float | str | None]:
    size = point.batch_size
    ends = (point.value, point.low, point.high)
    if chart.kind in ("lines", "dots"):
        return [size, *numbers(ends)]
    if chart.kind == "fit":
        return [size, *numbers((*ends, float(point.at), point.at_low, point.at_high))]
    if chart.kind == "boxes":
        return [size, *numbers(point.quantiles)]
    return [size, *numbers(point.phases), duration(point.value / 1e3)]
