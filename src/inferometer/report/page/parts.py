"""The results of one model in one mode as the template shows them: verdicts, figures with their controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.recommendation.decision import Decision
from inferometer.report.figures.chart import BY_ROWS, Chart, FigureSpec
from inferometer.report.figures.figure_specs import figure_specs
from inferometer.report.figures.palette import Palette, Style
from inferometer.report.figures.phase_specs import parts_known
from inferometer.report.figures.plotly_layout import layout
from inferometer.report.figures.plotly_traces import PARTS
from inferometer.report.page.answers import Answer, answer
from inferometer.report.page.verdict import Verdict, verdicts
from inferometer.results.cells import Results
from inferometer.results.metrics import PHASES
from inferometer.units import counted


@dataclass(frozen=True)
class Key:
    """One entry of a figure's legend."""

    index: int
    name: str
    style: Style
    note: str = ""
    precision: str = ""  # of the one series it stands for; empty: of all of the framework's


@dataclass(frozen=True)
class PanelView:
    """One panel with its legend, if it has one of its own."""

    chart: Chart
    figure: str  # key in the page's figures
    height_px: int
    label: str  # what a screen reader says
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class FigureView:
    """A figure with its controls."""

    spec: FigureSpec
    anchor: str
    panels: tuple[PanelView, ...]
    keys: tuple[Key, ...]
    batch_sizes: tuple[int, ...]  # to choose from, where one is shown at a time
    axes: tuple[tuple[str, str, bool], ...]  # (letter, label, logarithmic) that can be switched
    first_choice: str  # how the batch size is called that is shown at first
    parts: tuple[tuple[str, int, str], ...]  # of bars: (name, place, hatch)


@dataclass(frozen=True)
class PartView:
    """The results of one model in one mode."""

    anchor: str
    title: str
    answers: tuple[Answer, ...]
    verdicts: tuple[Verdict, ...]
    figures: tuple[FigureView, ...]  # that have something to draw
    empty: tuple[tuple[str, tuple[str, ...]], ...]  # titles of those that have nothing, and why


_MODES = {
    "host": "host to host",
    "device": "resident on the device",
    "host-pipelined": "host to host, pipelined",
}


def part(
    results: Results,
    number: int,
    palette: Palette,
    charts: dict[str, Chart],
    *,
    groups: Sequence[Mapping[str, Any]],
    decisions: Sequence[Decision],
) -> PartView:
    """Return part ``number`` of the results, one of `Results.sections`, of which ``decisions`` are all; the charts of its figures are added to ``charts`` by their key."""
    model, mode = results.sections[number]
    anchor = f"s{number}"
    shown = (spec for spec in figure_specs(results, model, mode) if spec.charts or not spec.optional)
    views = tuple(_figure(spec, anchor, palette, charts) for spec in shown)
    title = f"{model}, {_MODES.get(mode, f'{mode} mode')}" if len(results.sections) > 1 else ""
    found = verdicts(results, model, mode, decisions)
    places = {(group["machine"], group["model"], group["mode"]): i for i, group in enumerate(groups)}
    chosen = (verdict.deploy.decision for verdict in found)
    answers = tuple(
        answer(place := places[one.machine, one.model, one.mode], one, groups[place]["measured"])
        for one in chosen
    )
    return PartView(
        anchor, title, answers, found, tuple(view for view in views if view.panels), _empty(views)
    )


def _empty(views: Iterable[FigureView]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the titles of the figures without a panel, those of one reason together."""
    titles: dict[tuple[str, ...], list[str]] = {}
    for view in views:
        if not view.panels:
            titles.setdefault(view.spec.omitted, []).append(view.spec.title)
    return tuple(("; ".join(found), why) for why, found in titles.items())


def _figure(spec: FigureSpec, anchor: str, palette: Palette, charts: dict[str, Chart]) -> FigureView:
    panels = []
    for chart in spec.charts:
        key = f"{anchor}-{chart.key}"
        charts[key] = chart
        panels.append(_panel(spec, chart, key, palette))
    shared = spec.charts and spec.charts[0].kind in ("lines", "dots", "boxes")
    first = spec.charts[0] if spec.charts else None
    one_size = first is not None and first.kind in BY_ROWS
    return FigureView(
        spec,
        f"{anchor}-{spec.key}",
        tuple(panels),
        _keys([s for c in spec.charts for s in _named(c)], palette) if shared else (),
        tuple(sorted({size for c in spec.charts for size in c.batch_sizes})) if one_size else (),
        _axes(spec.charts) if not (first and first.kind == "phase_bars") else (),
        _FIRST.get(first.kind, "") if first else "",
        _parts(spec.charts) if first and first.kind == "phase_bars" else (),
    )


def _parts(charts: Sequence[Chart]) -> tuple[tuple[str, int, str], ...]:
    known = parts_known(charts)
    return tuple(part for part in PARTS if PHASES[part[1]] in known)


_FIRST = {
    "dots": "each at its fastest",
    "boxes": "each at its fastest",
    "phase_bars": "largest that most have",
}


def _panel(spec: FigureSpec, chart: Chart, key: str, palette: Palette) -> PanelView:
    where = f" on {chart.title}" if chart.title else ""
    frameworks = counted(len({series.framework for series in chart.series}), "framework")
    label = f"{spec.title}{where}: {frameworks}, {len(chart.series)} series. The data follow as a table."
    keys: tuple[Key, ...] = ()
    if chart.kind == "fit":
        keys = tuple(
            Key(
                palette.index(s.framework),
                s.name,
                palette.style(s.framework, s.precision),
                f"R² {s.fit.r2:.2f}" if s.fit else "no line",
                s.precision,
            )
            for s in chart.series
        )
    return PanelView(chart, key, int(layout(chart)["height"]), label, keys)


def _named(chart: Chart) -> Iterable[str]:
    return (series.framework for series in chart.series)


def _keys(names: Iterable[str], palette: Palette) -> tuple[Key, ...]:
    return tuple(Key(palette.index(n), n, palette.style(n)) for n in sorted(set(names)))


def _axes(charts: Sequence[Chart]) -> tuple[tuple[str, str, bool], ...]:
    if not charts:
        return ()
    chart = charts[0]
    axes = []
    for letter, axis in (("x", chart.x), ("y", chart.y)):
        if axis.label and not axis.ticks:
            log = any((c.x if letter == "x" else c.y).log for c in charts)
            axes.append((letter, axis.label.lower(), log))
    return tuple(axes)
