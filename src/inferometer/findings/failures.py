"""Findings about cells without a figure."""

from __future__ import annotations

from collections import defaultdict

from inferometer import units
from inferometer.findings.finding import Finding, where
from inferometer.results.cells import CellSummary, Results


def failures(results: Results) -> list[Finding]:
    """Count the cells without a figure, by what became of them."""
    found = []
    for scope, summaries in results.scopes.items():
        bad: dict[str, list[CellSummary]] = defaultdict(list)
        for summary in summaries:
            if summary.status != "ok":
                bad[summary.status].append(summary)
        if bad:
            counts = units.listed([f"{len(cells)} {status}" for status, cells in bad.items()])
            total = sum(map(len, bad.values()))
            found.append(
                Finding(
                    "failures",
                    f"On {where(results, scope)} {total} of {len(summaries)} cells have no figure: {counts}.",
                    *scope,
                )
            )
    return found
