"""Sentences computed from the results, by kind, each with links to the cells that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from inferometer.findings import findings
from inferometer.findings.finding import Finding
from inferometer.report.page.evidence import address
from inferometer.report.page.sections import Content
from inferometer.results.cells import CellSummary, Results

ORDER, TITLE = 12, "Findings"


_HEADINGS = {
    "winner": "Fastest at each batch size",
    "efficient": "Least energy",
    "contradiction": "Where the fastest is not the most frugal",
    "slope": "What more speed costs in power",
    "batch-size": "Where a larger batch stops paying",
    "machines": "Newer against older machines",
    "failures": "Cells without a figure",
}
_MOST_LINKS = 8


@dataclass(frozen=True)
class Sentence:
    """A finding and the cells that it rests on: (name, link)."""

    text: str
    cells: tuple[tuple[str, str], ...]


def build(content: Content) -> tuple[tuple[str, tuple[Sentence, ...]], ...]:
    """Return each kind's heading and its sentences."""
    cells = {cell.key: cell for cell in content.results.summaries}
    kinds: dict[str, list[Sentence]] = {}
    for finding in findings(content.results):
        links = dict(_links(finding, cells, content.results))
        sentence = Sentence(finding.text, tuple(links.items())[:_MOST_LINKS])
        kinds.setdefault(finding.kind, []).append(sentence)
    return tuple((_HEADINGS.get(kind, kind), tuple(found)) for kind, found in kinds.items())


def _links(finding: Finding, cells: dict[str, CellSummary], results: Results) -> Iterator[tuple[str, str]]:
    several = len({s.model for s in results.summaries}) > 1
    for test in finding.tests:
        for key in (test.best, test.other):
            if cell := cells.get(key):
                yield cell.name, f"#{urlencode({'c': address(cell, several=several)})}"
