"""A `Chart` as a plotly specification of plain dictionaries (building through plotly's classes is a hundred times slower).

Every trace carries in `meta` what the page needs to show, hide and recolour it: `f` the framework's number, `p` the
precision, `k` its part (points, fit, whisker) and, where one batch size is shown at a time, `by` the data of each:
values, intervals and machines of a "dots" series, quantiles of a "boxes" series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from inferometer.report.chart import BEST, Axis, Chart, Point, Series
from inferometer.report.palette import SYMBOLS, Palette, Style

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, GRID = "#3c4248", "#e3e6e9"
ROW_PX, ROWS_MARGIN_PX = 24, 64
_FIT_STEPS = 24

Spec = dict[str, Any]


def panel(chart: Chart, palette: Palette) -> Spec:
    """Return ``{"data": [...], "layout": {...}}`` for one panel in the light theme."""
    rows = row_names(chart)
    draw = {"lines": _lines, "fit": _fit, "dots": _dots, "boxes": _boxes}[chart.kind]
    data: list[Spec] = []
    for series in chart.series:
        style = palette.style(series.framework, series.precision)
        data += draw(chart, series, style, rows[series])
    return {"data": data, "layout": layout(chart)}


def row_names(chart: Chart) -> dict[Series, str]:
    """Return how each series is called in this panel: the precision is left out where there is but one."""
    several = len({series.precision for series in chart.series}) > 1
    return {series: text(series.name if several else series.framework) for series in chart.series}


def text(name: str) -> str:
    """Return ``name`` so that plotly, which renders a subset of HTML, shows it literally."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "%&#8203;{")


def layout(chart: Chart) -> Spec:
    """Return the layout of one panel."""
    by_rows = chart.kind in ("dots", "boxes")
    spec: Spec = {
        "margin": {"l": 74, "r": 14, "t": 8, "b": 48},
        "hovermode": "closest",
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12.5, "color": INK},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12.5}},
        "xaxis": _axis(chart.x),
        "yaxis": _rows_axis(chart) if by_rows else _axis(chart.y),
        "dragmode": False,
        "height": len(chart.series) * ROW_PX + ROWS_MARGIN_PX if by_rows else 380,
    }
    return spec


def _axis(axis: Axis) -> Spec:
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
        spec |= {"dtick": "D2"}
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


def _trace(series: Series, style: Style, name: str, part: str) -> Spec:
    return {
        "type": "scatter",
        "name": name,
        "meta": {"f": style.index, "p": series.precision, "k": part},
        "legendgroup": name,
    }


def _marker(style: Style, **more: Any) -> Spec:
    return {
        "symbol": style.plotly_symbol,
        "color": style.light,
        "size": 8,
        "line": {"width": 1.4, "color": style.light},
    } | more


def _lines(chart: Chart, series: Series, style: Style, name: str) -> list[Spec]:
    points = sorted(series.points, key=lambda point: float(point.at))
    trace = _trace(series, style, name, "points") | {
        "mode": "lines+markers",
        "x": [point.at for point in points],
        "y": numbers(point.value for point in points),
        "customdata": _intervals(points),
        "marker": _marker(style),
        "line": {"color": style.light, "width": 1.6, "dash": style.dash},
        "error_y": _errors(points, style.light),
        "hovertemplate": f"<b>{name}</b><br>batch size %{{x}}<br>{_reading('y', chart.y, points)}<extra></extra>",
    }
    return [trace]


def _fit(chart: Chart, series: Series, style: Style, name: str) -> list[Spec]:
    points = sorted(series.points, key=lambda point: point.batch_size)
    fit = f"<br>line: R² {series.fit.r2:.3f}" if series.fit else ""
    trace = _trace(series, style, name, "points") | {
        "mode": "markers",
        "x": numbers(float(point.at) for point in points),
        "y": numbers(point.value for point in points),
        "customdata": [
            [*interval, point.batch_size] for interval, point in zip(_intervals(points), points, strict=True)
        ],
        "marker": _marker(style, size=[_size(point, chart) for point in points]),
        "error_y": _errors(points, style.light),
        "error_x": _errors_at(points, style.light),
        "hovertemplate": f"<b>{name}</b><br>batch size %{{customdata[2]}}<br>"
        f"%{{x:,.4~r}} {text(chart.x.unit)}<br>{_reading('y', chart.y, points)}{fit}<extra></extra>",
    }
    return [_fit_line(series, style, name, points), trace] if series.fit else [trace]


def _fit_line(series: Series, style: Style, name: str, points: Sequence[Point]) -> Spec:
    fit = series.fit
    assert fit is not None
    first, last = (choose(float(point.at) for point in points) for choose in (min, max))
    xs = [first + (last - first) * step / _FIT_STEPS for step in range(_FIT_STEPS + 1)]
    return _trace(series, style, name, "fit") | {
        "mode": "lines",
        "x": numbers(xs),
        "y": numbers(fit.intercept + fit.slope * x for x in xs),
        "line": {"color": style.light, "width": 1.4, "dash": style.dash},
        "opacity": 0.75,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _size(point: Point, chart: Chart) -> float:
    """Return a marker size that grows with the batch size, 6 to 13 px."""
    sizes = chart.batch_sizes
    return 6 + 7 * sizes.index(point.batch_size) / max(1, len(sizes) - 1)


def _dots(chart: Chart, series: Series, style: Style, name: str) -> list[Spec]:
    symbols = machine_symbols(chart)
    best = _of_size(series, BEST)
    trace = _trace(series, style, name, "points") | {
        "mode": "markers",
        "x": numbers(point.value for point in best),
        "y": [name] * len(best),
        "customdata": [
            [*interval, text(str(point.at))] for interval, point in zip(_intervals(best), best, strict=True)
        ],
        "marker": _marker(style, size=9, symbol=[symbols[str(point.at)] for point in best]),
        "error_x": _errors(best, style.light),
        "hovertemplate": f"<b>{name}</b> on %{{customdata[2]}}<br>{_reading('x', chart.x, series.points)}<extra></extra>",
    }
    by = {}
    for size in (BEST, *chart.batch_sizes):
        points = _of_size(series, size)
        machines = [chart.machines.index(str(point.at)) for point in points]
        by[str(size)] = [numbers(point.value for point in points), _intervals(points), machines]
    trace["meta"]["by"] = by
    return [trace]


def _of_size(series: Series, size: int) -> list[Point]:
    return [point for point in series.points if point.batch_size == size]


def machine_symbols(chart: Chart) -> dict[str, str]:
    """Return the marker of each machine of a "dots" panel."""
    return {machine: SYMBOLS[index % len(SYMBOLS)] for index, machine in enumerate(chart.machines)}


def _boxes(chart: Chart, series: Series, style: Style, name: str) -> list[Spec]:
    best = _of_size(series, BEST)
    by = {
        str(size): [numbers(point.quantiles) for point in _of_size(series, size)]
        for size in (BEST, *chart.batch_sizes)
    }
    whisker = _trace(series, style, name, "whisker") | {
        "mode": "lines+markers",
        "x": [value for p in best for value in numbers((p.quantiles[0], p.quantiles[5]))],
        "y": [name, name] * len(best),
        "line": {"color": style.light, "width": 1.4},
        "marker": _marker(style, symbol="line-ns-open", size=9),
        "hoverinfo": "skip",
    }
    highs = [p.quantiles[3] - p.quantiles[2] for p in best]
    lows = [p.quantiles[2] - p.quantiles[1] for p in best]
    middle = _trace(series, style, name, "points") | {
        "mode": "markers",
        "x": numbers(p.quantiles[2] for p in best),
        "y": [name] * len(best),
        "customdata": [numbers(p.quantiles) for p in best],
        "error_x": _error_bar(highs, lows, style.light) | {"thickness": 6, "width": 0},
        "marker": _marker(style, size=9),
        "hovertemplate": f"<b>{name}</b><br>median %{{x:,.4~r}} {chart.x.unit}<br>"
        "5 % %{customdata[0]:,.4~r}, 25 % %{customdata[1]:,.4~r}, 75 % %{customdata[3]:,.4~r},<br>"
        "95 % %{customdata[4]:,.4~r}, 99 % %{customdata[5]:,.4~r}<extra></extra>",
    }
    middle["meta"]["by"] = by
    return [whisker, middle]


# what the page's script works out again from `meta.by` and from the intervals in `customdata`
_DERIVED = {
    "lines": ("error_y",),
    "fit": ("error_y",),
    "dots": ("x", "y", "customdata", "error_x"),
    "boxes": ("x", "y", "customdata", "error_x"),
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
        "margin_px": ROWS_MARGIN_PX,
        "machines": [[text(machine), symbol] for machine, symbol in machine_symbols(chart).items()],
    }


def _reading(letter: str, axis: Axis, points: Sequence[Point]) -> str:
    """Return the hover text of a value, with its interval where every point has one."""
    value = f"%{{{letter}:,.4~r}} {text(axis.unit)}"
    if any(point.low is None or point.high is None for point in points):
        return value
    return value + " <i>[%{customdata[0]:,.4~r}, %{customdata[1]:,.4~r}]</i>"


def _intervals(points: Sequence[Point]) -> list[list[float | None]]:
    return [[rounded(point.low), rounded(point.high)] for point in points]


def _errors(points: Sequence[Point], colour: str) -> Spec:
    highs = [None if p.high is None else p.high - p.value for p in points]
    lows = [None if p.low is None else p.value - p.low for p in points]
    return _error_bar(highs, lows, colour)


def _errors_at(points: Sequence[Point], colour: str) -> Spec:
    highs = [None if p.at_high is None else p.at_high - float(p.at) for p in points]
    lows = [None if p.at_low is None else float(p.at) - p.at_low for p in points]
    return _error_bar(highs, lows, colour)


def _error_bar(highs: Sequence[float | None], lows: Sequence[float | None], colour: str) -> Spec:
    return {
        "type": "data",
        "array": [rounded(value) for value in highs],
        "arrayminus": [rounded(value) for value in lows],
        "symmetric": False,
        "visible": any(value is not None for value in highs),
        "color": colour,
        "thickness": 1.1,
        "width": 3,
    }


def numbers(values: Iterable[float]) -> list[float | None]:
    """Return values at the five digits that a picture can show."""
    return [rounded(value) for value in values]


def rounded(value: float | None) -> float | None:
    """Return ``value`` to five significant digits; None where it is no number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.5g}")
