"""Everything the HTML template shows, in order; texts and numbers only, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.findings import findings
from inferometer.report.figures.chart import Chart
from inferometer.report.figures.colours import LEGIBLE_SERIES, framework_label
from inferometer.report.figures.palette import Palette, Style
from inferometer.report.page.facts import (
    Progress,
    extent,
    flags,
    machine_facts,
    progress,
    run_facts,
    versions,
)
from inferometer.report.page.failed import Failure, failures
from inferometer.report.page.method import method
from inferometer.report.page.sections import SectionView, section
from inferometer.report.page.tables import grids
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
    sections: tuple[SectionView, ...]
    frameworks: tuple[Choice, ...]
    precisions: tuple[Choice, ...]
    restricted: str
    findings: tuple[tuple[str, tuple[str, ...]], ...]  # heading, sentences
    failures: tuple[Failure, ...]
    flags: tuple[tuple[str, str], ...]
    machines: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    versions: tuple[tuple[str, ...], ...]
    runs: tuple[tuple[str, ...], ...]
    method: tuple[str, ...]
    progress: tuple[Progress, ...]  # runs that are not complete
    incomplete: tuple[str, ...]  # the same in words
    references: str  # machines that an asterisk compares with
    empty: bool


def build(
    results: Results, palette: Palette, title: str, reference: str | None = None
) -> tuple[Page, dict[str, Chart]]:
    """Return the page, and the charts that its figures draw by their key."""
    charts: dict[str, Chart] = {}
    views = grids(results, palette, reference)
    sections = tuple(
        section(results, number, palette, charts, views[key]) for number, key in enumerate(results.sections)
    )
    precisions = _precisions(results)
    page = Page(
        title=title,
        facts=extent(results),
        sections=sections,
        frameworks=tuple(Choice(str(palette.index(f)), f, palette.style(f)) for f in palette.frameworks),
        precisions=precisions,
        restricted=_restricted(precisions, len(palette.frameworks)),
        findings=_findings(results),
        failures=failures(results, palette),
        flags=flags(results.summaries),
        machines=tuple((label, machine_facts(machine)) for label, machine in results.machines.items()),
        versions=versions(results),
        runs=tuple(run_facts(run) for run in results.runs),
        method=method([run.info for run in results.runs]),
        progress=tuple(progress(run) for run in results.runs if run.missing),
        incomplete=tuple(unfinished(results)),
        references=_references(sections),
        empty=not results.summaries,
    )
    return page, charts


def _references(sections: Sequence[SectionView]) -> str:
    """Return the machine that asterisks mean: one where all tables agree, else that each has its own."""
    names = {table.reference for part in sections for table in part.tables if table.reference}
    if len(names) > 1:
        return "the machine with most wins of its metric"
    return next(iter(names), "")


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


_FINDING_HEADINGS = {
    "winner": "Fastest at each batch size",
    "efficient": "Least energy",
    "contradiction": "Where the fastest is not the most frugal",
    "slope": "What more speed costs in power",
    "batch-size": "Where a larger batch stops paying",
    "machines": "Newer against older machines",
    "failures": "Cells without a figure",
}


def _findings(results: Results) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the findings' sentences by kind."""
    kinds: dict[str, list[str]] = {}
    for finding in findings(results):
        kinds.setdefault(finding.kind, []).append(finding.text)
    return tuple((_FINDING_HEADINGS.get(kind, kind), tuple(texts)) for kind, texts in kinds.items())
