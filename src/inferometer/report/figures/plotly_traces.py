"""The series of one panel as plotly traces, one function a kind of chart.

Every trace says in `meta` which part of its series it is (`k`: points, fit, whisker), and of which framework and precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inferometer.report.figures.chart import BEST, Axis, Chart, PlotSeries, Point
from inferometer.report.figures.palette import COPYING, Style
from inferometer.report.figures.plotly_layout import Spec, text
from inferometer.report.figures.rounding import numbers, rounded
from inferometer.units import duration

_FIT_STEPS = 24


def lines(chart: Chart, series: PlotSeries, style: Style, name: str) -> list[Spec]:
    """Return a line over the batch sizes."""
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


def fit(chart: Chart, series: PlotSeries, style: Style, name: str) -> list[Spec]:
    """Return a marker a batch size, and the line fitted to them."""
    points = sorted(series.points, key=lambda point: point.batch_size)
    quality = f"<br>line: R² {series.fit.r2:.3f}" if series.fit else ""
    trace = _trace(series, style, name, "points") | {
        "mode": "markers",
        "x": numbers(float(point.at) for point in points),
        "y": numbers(point.value for point in points),
        "customdata": [
            [*interval, point.batch_size] for interval, point in zip(_intervals(points), points, strict=True)
        ],
        "marker": _marker(style, size=[6 + 7 * chart.place(point.batch_size) for point in points]),
        "error_y": _errors(points, style.light),
        "error_x": _errors_at(points, style.light),
        "hovertemplate": f"<b>{name}</b><br>batch size %{{customdata[2]}}<br>"
        f"%{{x:,.4~r}} {text(chart.x.unit)}<br>{_reading('y', chart.y, points)}{quality}<extra></extra>",
    }
    return [_fit_line(series, style, name, points), trace] if series.fit else [trace]


def _fit_line(series: PlotSeries, style: Style, name: str, points: Sequence[Point]) -> Spec:
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


def dots(chart: Chart, series: PlotSeries, style: Style, name: str) -> list[Spec]:
    """Return a row's marker."""
    best = _of_size(series, BEST)
    return [
        _trace(series, style, name, "points")
        | {
            "mode": "markers",
            "x": numbers(point.value for point in best),
            "y": [name] * len(best),
            "customdata": _intervals(best),
            "marker": _marker(style, size=9),
            "error_x": _errors(best, style.light),
            "hovertemplate": f"<b>{name}</b><br>{_reading('x', chart.x, series.points)}<extra></extra>",
        }
    ]


def _of_size(series: PlotSeries, size: int) -> list[Point]:
    return [point for point in series.points if point.batch_size == size]


def boxes(chart: Chart, series: PlotSeries, style: Style, name: str) -> list[Spec]:
    """Return a row with median, quartiles and whiskers to the 5th and 99th percentile."""
    best = _of_size(series, BEST)
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
    return [whisker, middle]


def phase_bars(chart: Chart, series: PlotSeries, style: Style, name: str) -> list[Spec]:
    """Return a row of parts, one a phase: compute in the framework's colour, what is copied hatched, the sum at the end."""
    first = _of_size(series, chart.first_size)
    phases: Sequence[Any] = numbers(first[0].phases) if first else [None] * 4
    total = duration(first[0].value / 1e3) if first else ""
    parts = [(label, phases[place], hatch) for label, place, hatch in PARTS if phases[place] is not None]
    whole = sum(ms for _, ms, _ in parts) or 1.0
    return [
        _trace(series, style, name, "points")
        | {
            "type": "bar",
            "orientation": "h",
            "width": 0.62,
            "x": numbers(100 * ms / whole for _, ms, _ in parts),
            "base": numbers(
                100 * sum(ms for _, ms, _ in parts[:place]) / whole for place in range(len(parts))
            ),
            "y": [name] * len(parts),
            "customdata": [
                [_bar_text(label, phases[1]), ms, rounded(100 * ms / whole)] for label, ms, _ in parts
            ],
            "text": [*[""] * (len(parts) - 1), total][: len(parts)],
            "textposition": "outside",
            "textangle": 0,
            "cliponaxis": False,
            "marker": parts_marker(style.light, [hatch for _, _, hatch in parts]),
            "hovertemplate": f"<b>{name}</b><br>%{{customdata[0]}}<br>%{{customdata[1]:,.4~r}} ms, %{{customdata[2]:.3~r}} %"
            "<extra></extra>",
        }
    ]


# a part of a bar, its place among a point's phases, plotly's hatch
PARTS = (("copy in", 0, "/"), ("compute", 2, ""), ("copy out", 3, "\\"))


def _bar_text(label: str, enqueue_ms: float | None) -> str:
    if label != "compute" or enqueue_ms is None:
        return label
    return f"compute; the call returned after {enqueue_ms:,.4g} ms"


def parts_marker(colour: str, hatches: Sequence[str]) -> Spec:
    """Return the look of a bar's parts: hatched grey, or all of ``colour``."""
    colours = [COPYING if hatch else colour for hatch in hatches]
    return {
        "color": colours,
        "line": {"color": colours, "width": 1},
        "pattern": {"fillmode": "replace", "shape": list(hatches), "size": 6, "solidity": 0.25},
    }


def _trace(series: PlotSeries, style: Style, name: str, part: str) -> Spec:
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
