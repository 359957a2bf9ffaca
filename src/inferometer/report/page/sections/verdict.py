"""Who wins on each machine: the first thing that the page says."""

from __future__ import annotations

from inferometer.report.page.parts import PartView
from inferometer.report.page.sections import Content

ORDER, TITLE = 10, "Verdict"


def build(content: Content) -> tuple[PartView, ...]:
    """Return the parts, which hold their verdicts."""
    return content.parts
