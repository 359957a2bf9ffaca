"""The figures."""

from __future__ import annotations

from inferometer.report.page.parts import PartView
from inferometer.report.page.sections import Content

ORDER, TITLE = 30, "Figures"


def build(content: Content) -> tuple[PartView, ...]:
    """Return the parts, which hold their figures."""
    return content.parts
