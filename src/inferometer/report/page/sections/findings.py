"""Sentences computed from the results, by kind."""

from __future__ import annotations

from inferometer.findings import findings
from inferometer.report.page.sections import Content

ORDER, TITLE = 40, "Findings"


_HEADINGS = {
    "winner": "Fastest at each batch size",
    "efficient": "Least energy",
    "contradiction": "Where the fastest is not the most frugal",
    "slope": "What more speed costs in power",
    "batch-size": "Where a larger batch stops paying",
    "machines": "Newer against older machines",
    "failures": "Cells without a figure",
}


def build(content: Content) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each kind's heading and its sentences."""
    kinds: dict[str, list[str]] = {}
    for finding in findings(content.results):
        kinds.setdefault(finding.kind, []).append(finding.text)
    return tuple((_HEADINGS.get(kind, kind), tuple(texts)) for kind, texts in kinds.items())
