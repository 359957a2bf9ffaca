"""Everything the HTML template shows, in order; texts and numbers only, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.recommendation.objectives import USUAL_PRICES, Prices
from inferometer.recommendation.recommend import recommend
from inferometer.report.figures.chart import Chart
from inferometer.report.figures.colours import LEGIBLE_SERIES, framework_label
from inferometer.report.figures.palette import Palette, Style
from inferometer.report.page import sections
from inferometer.report.page.beside import tables_beside
from inferometer.report.page.evidence import evidence
from inferometer.report.page.facts import Progress, extent, progress
from inferometer.report.page.frontier import frontier_data
from inferometer.report.page.parts import part
from inferometer.report.page.sections import Content, Section
from inferometer.results.cells import Results
from inferometer.results.completeness import unfinished


@dataclass(frozen=True)
class Choice:
    """A framework or a precision that can be hidden."""

    value: str
    name: str
    style: Style | None
    checked: bool = True


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    facts: tuple[str, ...]
    sections: tuple[Section, ...]
    frameworks: tuple[Choice, ...]
    precisions: tuple[Choice, ...]
    restricted: str
    progress: tuple[Progress, ...]  # runs that are not complete
    incomplete: tuple[str, ...]  # the same in words
    empty: bool
    groups: Sequence[dict[str, Any]]  # what the page's own decisions are made of
    evidence: dict[str, Any]  # what is behind each cell


def build(
    results: Results,
    palette: Palette,
    title: str,
    reference: str | None = None,
    prices: Prices = USUAL_PRICES,
) -> tuple[Page, dict[str, Chart]]:
    """Return the page, and the charts that its figures draw by their key."""
    charts: dict[str, Chart] = {}
    with tables_beside(results, palette, reference) as tables:
        groups = frontier_data(results, palette, prices)
        decisions = recommend(results)
        behind = evidence(results, palette)
        parts = tuple(
            part(results, number, palette, charts, groups=groups, decisions=decisions)
            for number in range(len(results.sections))
        )
        built = sections.build(Content(results, palette, parts, groups, tables, prices))
    precisions = _precisions(results)
    page = Page(
        title=title,
        facts=extent(results),
        sections=built,
        frameworks=tuple(Choice(str(palette.index(f)), f, palette.style(f)) for f in palette.frameworks),
        precisions=precisions,
        restricted=_restricted(precisions, len(palette.frameworks)),
        progress=tuple(progress(run) for run in results.runs if run.missing),
        incomplete=tuple(unfinished(results)),
        empty=not results.summaries,
        groups=groups,
        evidence=behind,
    )
    return page, charts


def _precisions(results: Results) -> tuple[Choice, ...]:
    names = tuple(dict.fromkeys(s.cell.precision for s in results.summaries))
    series = {(framework_label(s), s.cell.precision) for s in results.summaries if s.measured}
    if len(series) <= LEGIBLE_SERIES or len(names) < 2:
        return tuple(Choice(name, name, None) for name in names)
    covered = [precision for _, precision in series]
    chosen = max(names, key=covered.count)
    return tuple(Choice(name, name, None, name == chosen) for name in names)


def _restricted(precisions: Sequence[Choice], frameworks: int) -> str:
    shown = [p.name for p in precisions if p.checked]
    if len(shown) == len(precisions):
        return ""
    return (
        f"Figures start with {', '.join(shown)}, which most frameworks have, to stay legible with {frameworks} "
        "frameworks; tick the others to add them. Tables always show every precision."
    )
