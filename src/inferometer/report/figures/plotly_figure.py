"""The figures as plotly objects, for notebooks: `keys` names them, `figure` draws the one of a name.

    plotly_figure.figure(results, "power-throughput").show()

Where there are several models or modes, say which with ``model`` and ``mode``; the default is the first section. A
figure that has nothing to show says why instead of being empty.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inferometer.errors import UsageError, unknown
from inferometer.report.figures.chart import FigureSpec
from inferometer.report.figures.colours import palette_of
from inferometer.report.figures.figure_specs import figure_specs
from inferometer.report.figures.palette import Palette
from inferometer.report.figures.plotly_layout import FONT, GRID, INK, Spec, layout, text
from inferometer.report.figures.plotly_panel import panel
from inferometer.report.figures.plotly_traces import PARTS, parts_marker
from inferometer.results.cells import Results

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GAP = 0.11  # between panels, as a share of the figure's width
_TITLE_PX, _LEGEND_ROW_PX, _PANEL_GAP_PX = 60, 20, 110


def figure(
    results: Results,
    key: str,
    *,
    machine: str | None = None,
    model: str | None = None,
    mode: str | None = None,
) -> Figure:
    """Return the figure called ``key`` (see `keys`), of one ``machine`` or a panel each; UsageError if there is none."""
    found = {figure.key: figure for figure in figure_specs_of(results, model, mode, machine)}
    if key not in found:
        raise unknown("figure", key, found)
    return plotly_figure(found[key], palette_of(results))


def keys(results: Results) -> tuple[str, ...]:
    """Return the names of all figures, in the report's order."""
    return tuple(figure.key for figure in figure_specs_of(results))


def figure_specs_of(
    results: Results, model: str | None = None, mode: str | None = None, machine: str | None = None
) -> tuple[FigureSpec, ...]:
    """Return every figure, not drawn yet, of one section; UsageError if there is no such section or machine.

    ``machine``: only its panel, of figures that have one a machine.
    """
    if machine is not None and machine not in results.machines:
        raise unknown("machine", machine, results.machines)
    found = figure_specs(results, *_section(results, model, mode))
    return found if machine is None else tuple(_panels_of(machine, figure) for figure in found)


def _panels_of(machine: str, figure: FigureSpec) -> FigureSpec:
    charts = tuple(chart for chart in figure.charts if chart.title in ("", machine))
    return FigureSpec(figure.key, figure.title, figure.lead, charts, figure.omitted)


def _section(results: Results, model: str | None, mode: str | None) -> tuple[str, str]:
    for section in results.sections:
        if model in (None, section[0]) and mode in (None, section[1]):
            return section
    if not results.sections:
        raise UsageError("these runs hold no cell, so there is nothing to draw")
    known = ", ".join(f"{name} in {how} mode" for name, how in results.sections)
    raise UsageError(f"no cells of model {model!r} in mode {mode!r}; there are: {known}")


def plotly_figure(figure: FigureSpec, palette: Palette) -> Figure:
    """Return all panels of a figure as one plotly Figure with a legend, validated by plotly; UsageError without plotly."""
    try:
        from plotly.graph_objects import Figure
    except ModuleNotFoundError as error:
        raise UsageError("figures in Python need plotly: pip install 'inferometer[notebook]'") from error

    if not figure.charts:
        return Figure(_nothing(figure))
    columns = 1 if len(figure.charts) == 1 else 2
    rows = math.ceil(len(figure.charts) / columns)
    charts = [chart.at_first() for chart in figure.charts]
    heights = [int(layout(chart)["height"]) for chart in charts]
    height = max(heights) * rows + _PANEL_GAP_PX * (rows - 1) + _TITLE_PX
    spec: Spec = {"data": [], "layout": _common(figure, height)}
    shown: set[str] = set()
    for number, chart in enumerate(charts):
        drawn = panel(chart, palette)
        suffix = "" if number == 0 else str(number + 1)
        box = _domain(number, columns, rows, height)
        spec["layout"][f"xaxis{suffix}"] = drawn["layout"]["xaxis"] | {
            "domain": box[0],
            "anchor": f"y{suffix}",
        }
        spec["layout"][f"yaxis{suffix}"] = drawn["layout"]["yaxis"] | {
            "domain": box[1],
            "anchor": f"x{suffix}",
        }
        spec["layout"]["annotations"].append(_heading(chart.title, box))
        for trace in drawn["data"]:
            first = trace["meta"]["k"] == "points" and trace["name"] not in shown
            if first:
                shown.add(trace["name"])
            in_legend = first and chart.kind in ("lines", "fit")
            spec["data"].append(
                trace | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "showlegend": in_legend}
            )
    spec["data"] += _part_entries() if charts[0].kind == "phase_bars" else []
    return Figure(spec)


def _common(figure: FigureSpec, height: int) -> Spec:
    return {
        "title": {"text": figure.title},
        "font": {"family": FONT, "color": INK},
        "hovermode": "closest",
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "height": height + 2 * _LEGEND_ROW_PX,
        "margin": {"t": _TITLE_PX, "l": 60, "r": 20, "b": 40},
        "legend": {"groupclick": "togglegroup"},
        "showlegend": True,
        "barmode": "overlay",
        "annotations": [],
        "modebar": {"remove": ["sendChartToCloud"]},  # nobody should send results away by a slip of the mouse
    }


def _domain(number: int, columns: int, rows: int, height: int) -> tuple[list[float], list[float]]:
    """Return the panel's share of the figure, horizontally and vertically."""
    column, row = number % columns, number // columns
    width = (1 - _GAP * (columns - 1)) / columns
    gap = _PANEL_GAP_PX / height
    tall = (1 - gap * (rows - 1)) / rows
    left, top = column * (width + _GAP), 1 - row * (tall + gap)
    return [left, min(1.0, left + width)], [max(0.0, top - tall), top]


def _heading(title: str, box: tuple[list[float], list[float]]) -> Spec:
    return {
        "text": f"<b>{text(title)}</b>",
        "x": box[0][0],
        "y": box[1][1],
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
    }


def _part_entries() -> list[Spec]:
    """Return empty bars that explain the parts of a "phase_bars" panel in the legend."""
    return [
        {"type": "bar", "x": [None], "y": [None], "name": label, "marker": parts_marker(INK, [hatch])}
        for label, _, hatch in PARTS
    ]


def _nothing(figure: FigureSpec) -> Spec:
    reasons = "<br>".join(text(sentence) for sentence in figure.omitted) or "no cell ended well"
    note = {"text": reasons, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    axis = {"visible": False, "gridcolor": GRID}
    return {
        "data": [],
        "layout": {
            "title": {"text": figure.title},
            "xaxis": axis,
            "yaxis": axis,
            "annotations": [note],
            "plot_bgcolor": "white",
        },
    }
