"""The same figures as PNG and SVG files, drawn by matplotlib."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.report.figures.chart import (
    BEST,
    BY_ROWS,
    SPAN_OF_DIGITS,
    Axis,
    Chart,
    FigureSpec,
    PlotSeries,
)
from inferometer.report.figures.colours import LEGIBLE_SERIES, palette_of
from inferometer.report.figures.figure_specs import figure_specs
from inferometer.report.figures.matplotlib_phases import explain_parts, phase_bars
from inferometer.report.figures.palette import MARKERS, Palette, Style
from inferometer.report.writing import writing
from inferometer.results.cells import Results

DPI = 160
_PANEL_INCHES = (6.4, 4.2)
_ROW_INCHES = 0.24
_FIT_LEGEND_COLUMNS = 3
_KEY_INCHES, _CHARACTER_INCHES = 0.55, 0.072  # of a legend: marker and gaps, a letter of 8 pt
_INK, _GRID = "#3c4248", "#e3e6e9"


def write_static(results: Results, folder: Path) -> list[Path]:
    """Write every figure of every section into ``folder`` as PNG and SVG; return the files.

    UsageError without matplotlib, StoreError if the folder cannot be written.
    """
    style = _matplotlib_style()
    palette = palette_of(results)
    written: list[Path] = []
    with writing(folder, "give another folder"), style:
        folder.mkdir(parents=True, exist_ok=True)
        for model, mode in results.sections:
            prefix = f"{_slug(model)}-{mode}-" if len(results.sections) > 1 else ""
            for spec in figure_specs(results, model, mode):
                for name, part in _legible(spec):
                    written += _write(part, palette, folder / f"{prefix}{name}")
    return written


def _matplotlib_style() -> Any:
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise UsageError("static figures need matplotlib: pip install 'inferometer[static]'") from error
    return mpl.rc_context(
        {
            "font.size": 9,
            "text.parse_math": False,
            "svg.hashsalt": "inferometer",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": _GRID,
            "axes.labelcolor": _INK,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": _GRID,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
        }
    )


def _legible(spec: FigureSpec) -> list[tuple[str, FigureSpec]]:
    """Return the spec with its file's name; a spec a precision where one picture would hold too many series."""
    if not spec.charts:
        return []
    precisions = tuple(dict.fromkeys(s.precision for chart in spec.charts for s in chart.series))
    if max(len(chart.series) for chart in spec.charts) <= LEGIBLE_SERIES or len(precisions) < 2:
        return [(spec.key, spec)]
    return [(f"{spec.key}-{_slug(name)}", _only(spec, name)) for name in precisions]


def _only(spec: FigureSpec, precision: str) -> FigureSpec:
    charts = tuple(
        replace(chart, series=kept)
        for chart in spec.charts
        if (kept := tuple(s for s in chart.series if s.precision == precision))
    )
    return replace(spec, title=f"{spec.title}, {precision}", charts=charts)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "model"


def _write(spec: FigureSpec, palette: Palette, stem: Path) -> list[Path]:
    figure = draw_figure(spec, palette)
    files = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")]
    figure.draw_without_rendering()  # lays it out
    figure.set_layout_engine("none")  # which is the slow part, and need not be done again for every file
    figure.savefig(files[0], dpi=DPI)
    figure.savefig(files[1], metadata={"Date": None})
    return files


def draw_figure(spec: FigureSpec, palette: Palette) -> Any:
    """Return a matplotlib figure of all panels of a spec, with one legend below."""
    from matplotlib.figure import Figure

    spec = replace(spec, charts=tuple(chart.at_first() for chart in spec.charts))
    columns = 1 if len(spec.charts) == 1 else 2
    rows = math.ceil(len(spec.charts) / columns)
    figure = Figure(figsize=_inches(spec, rows, columns))
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes, chart in zip(grid, spec.charts, strict=False):
        _panel(axes, chart, palette)
    for axes in grid[len(spec.charts) :]:
        axes.set_visible(False)
    figure.suptitle(spec.title, fontsize=12, fontweight="bold", color=_INK)
    if spec.charts[0].kind != "fit":
        _legend(figure, grid[: len(spec.charts)])
    return figure


def _inches(spec: FigureSpec, rows: int, columns: int) -> tuple[float, float]:
    """Return the width and height of a spec's picture, its legends included."""
    width, height = _PANEL_INCHES
    kind, most = spec.charts[0].kind, max(len(chart.series) for chart in spec.charts)
    below = 0.0
    if kind in BY_ROWS:
        height = max(2.2, most * _ROW_INCHES + 1.0)
    elif kind == "fit":
        height += 0.17 * math.ceil(most / _FIT_LEGEND_COLUMNS)
    else:
        keys = {series.name for chart in spec.charts for series in chart.series}
        below = 0.2 * math.ceil(len(keys) / _legend_columns(keys, width * columns))
    return width * columns, height * rows + 0.6 + below


def _legend_columns(names: Collection[str], inches: float) -> int:
    """Return how many keys of a legend fit side by side."""
    return max(1, int(inches / (_KEY_INCHES + _CHARACTER_INCHES * max(map(len, names), default=1))))


def _legend(figure: Any, grid: Sequence[Any]) -> None:
    handles: dict[str, Any] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=_legend_columns(handles, figure.get_figwidth()),
            frameon=False,
            fontsize=8,
        )


def _panel(axes: Any, chart: Chart, palette: Palette) -> None:
    axes.set_title(chart.title, loc="left", fontsize=9.5, color=_INK)
    draw = {"lines": _line, "fit": _fit, "dots": _dots, "boxes": _boxes, "phase_bars": phase_bars}[chart.kind]
    for row, series in enumerate(chart.series):
        draw(axes, chart, series, palette.style(series.framework, series.precision), row)
    _scale(axes, "x", chart.x)
    if chart.kind in BY_ROWS:
        several = len({series.precision for series in chart.series}) > 1
        names = [series.name if several else series.framework for series in chart.series]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        explain_parts(axes, chart)
    else:
        _scale(axes, "y", chart.y)
        if chart.kind == "fit":
            _panel_legend(axes)


def _scale(axes: Any, letter: str, axis: Axis) -> None:
    from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    getattr(axes, f"set_{letter}label")(axis.title)
    part = getattr(axes, f"{letter}axis")
    if axis.log:
        getattr(axes, f"set_{letter}scale")("log", base=2 if axis.ticks else 10)
    else:
        getattr(axes, f"set_{letter}lim")(**{"left" if letter == "x" else "bottom": 0})
    if axis.ticks:
        part.set_ticks(axis.ticks, [f"{tick:g}" for tick in axis.ticks])
        part.set_minor_locator(NullLocator())
    else:
        if axis.log:
            low, high = part.get_view_interval()
            wide = high / low >= SPAN_OF_DIGITS
            part.set_major_locator(LogLocator(10, subs=(1, 2, 5)) if wide else AutoLocator())
        part.set_major_formatter(FuncFormatter(_tick))
        part.set_minor_formatter(NullFormatter())


def _tick(value: float, _: object) -> str:
    """Return a number on an axis, as the page has it: 5,000,000."""
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def _looks(style: Style) -> dict[str, Any]:
    face = style.light if style.fill == "full" else "white"
    return {"color": style.light, "marker": MARKERS[style.symbol], "markerfacecolor": face, "markersize": 5}


def _line(axes: Any, chart: Chart, series: PlotSeries, style: Style, row: int) -> None:
    points = sorted(series.points, key=lambda point: float(point.at))
    axes.errorbar(
        [point.at for point in points],
        [point.value for point in points],
        yerr=_reach([(p.value, p.low, p.high) for p in points]),
        label=series.name,
        linestyle=style.line,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=1.5,
        **_looks(style),
    )


def _fit(axes: Any, chart: Chart, series: PlotSeries, style: Style, row: int) -> None:
    points = sorted(series.points, key=lambda point: point.batch_size)
    xs, ys = [float(point.at) for point in points], [point.value for point in points]
    axes.errorbar(
        xs, ys,
        xerr=_reach([(float(p.at), p.at_low, p.at_high) for p in points]),
        yerr=_reach([(p.value, p.low, p.high) for p in points]),
        color=style.light, linestyle="none", elinewidth=0.8, capsize=1.5,
    )  # fmt: skip
    label = f"{series.name}  R² {series.fit.r2:.2f}" if series.fit else series.name
    axes.plot([], [], label=label, linestyle="none", **_looks(style))
    sizes = [(3.5 + 4.5 * chart.place(point.batch_size)) ** 2 for point in points]
    face = _looks(style)["markerfacecolor"]
    axes.scatter(
        xs, ys, sizes, marker=MARKERS[style.symbol], facecolors=face, edgecolors=style.light, zorder=3
    )
    if series.fit:
        first, last = min(xs), max(xs)
        steps = [first + (last - first) * step / 24 for step in range(25)]
        fit = [series.fit.intercept + series.fit.slope * x for x in steps]
        axes.plot(steps, fit, color=style.light, linestyle=style.line, linewidth=1)


def _panel_legend(axes: Any) -> None:
    """Put a legend of its own below a "fit" panel: R² is another on every machine."""
    entries = len(axes.get_legend_handles_labels()[1])
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=min(_FIT_LEGEND_COLUMNS, entries), frameon=False, fontsize=7,
        columnspacing=1.2, handletextpad=0.4,
    )  # fmt: skip


def _dots(axes: Any, chart: Chart, series: PlotSeries, style: Style, row: int) -> None:
    for point in series.points:
        if point.batch_size == BEST:
            reach = _reach([(point.value, point.low, point.high)])
            axes.errorbar(
                [point.value],
                [row],
                xerr=reach,
                elinewidth=0.9,
                capsize=1.5,
                linestyle="none",
                **_looks(style),
            )


def _boxes(axes: Any, chart: Chart, series: PlotSeries, style: Style, row: int) -> None:
    for point in (p for p in series.points if p.batch_size == BEST):
        p5, p25, p50, p75, _, p99 = point.quantiles
        axes.plot([p5, p99], [row, row], color=style.light, linewidth=1, marker="|", markersize=6)
        axes.plot([p25, p75], [row, row], color=style.light, linewidth=4, solid_capstyle="butt")
        axes.plot([p50], [row], linestyle="none", **_looks(style))


def _reach(values: Sequence[tuple[float, float | None, float | None]]) -> Any:
    """Return error bar lengths below and above; None where no interval is known at all."""
    if all(low is None or high is None for _, low, high in values):
        return None
    below = [0.0 if low is None else max(0.0, value - low) for value, low, _ in values]
    above = [0.0 if high is None else max(0.0, high - value) for value, _, high in values]
    return [below, above]
