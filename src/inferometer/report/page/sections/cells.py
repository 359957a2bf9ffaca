"""Every cell in one table, which the page's script fills: sorted, searched, copied."""

from __future__ import annotations

from inferometer.report.page.sections import Content

ORDER, TITLE = 18, "All cells"


def build(content: Content) -> int:
    """Return how many cells there are."""
    return len(content.results.summaries)
