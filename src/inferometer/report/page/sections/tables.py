"""A table a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.report.page.parts import PartView
from inferometer.report.page.sections import Content

ORDER, TITLE = 20, "Tables"


@dataclass(frozen=True)
class Tables:
    """The parts, which hold their tables, and the machines that an asterisk compares with."""

    parts: tuple[PartView, ...]
    references: str


def build(content: Content) -> Tables:
    """Return the tables of every part."""
    return Tables(content.parts, _references(content.parts))


def _references(parts: Sequence[PartView]) -> str:
    """Return the machine that asterisks mean: one where all tables agree, else that each has its own."""
    names = {table.reference for part in parts for table in part.tables if table.reference}
    if len(names) > 1:
        return "the machine with most wins of its metric"
    return next(iter(names), "")
