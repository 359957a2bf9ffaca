"""Computed sentences about a set of runs, each with its figures; nothing is claimed inside the noise (pure)."""

from __future__ import annotations

from inferometer.findings.energy import contradictions, efficient
from inferometer.findings.failures import failures
from inferometer.findings.finding import Finding
from inferometer.findings.machines import machines
from inferometer.findings.power import regressions, slopes
from inferometer.findings.speed import batch_sizes, winners
from inferometer.results.cells import Results

__all__ = ["Finding", "findings", "regressions"]


def findings(results: Results) -> tuple[Finding, ...]:
    """Return every finding that the data carry, by kind, then machine."""
    return tuple(
        finding
        for kind in (winners, efficient, contradictions, slopes, batch_sizes, machines, failures)
        for finding in kind(results)
    )
