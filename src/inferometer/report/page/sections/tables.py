"""A table a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.report.page.sections import Content
from inferometer.report.page.tables import TableView, absent

ORDER, TITLE = 20, "Tables"


@dataclass(frozen=True)
class SectionTables:
    """The tables of one model in one mode."""

    title: str
    tables: tuple[TableView, ...]
    absent: tuple[str, ...]  # metrics without any value


@dataclass(frozen=True)
class Tables:
    """All tables, and the machines that an asterisk compares with."""

    sections: tuple[SectionTables, ...]
    references: str


def build(content: Content) -> Tables:
    """Return the tables of every part."""
    sections = tuple(
        SectionTables(part.title, tuple(found), absent(found))
        for part, found in zip(content.parts, content.tables(), strict=True)
    )
    return Tables(sections, _references(sections))


def _references(sections: Sequence[SectionTables]) -> str:
    """Return the machine that asterisks mean: one where all tables agree, else that each has its own."""
    names = {table.reference for section in sections for table in section.tables if table.reference}
    if len(names) > 1:
        return "the machine with most wins of its metric"
    return next(iter(names), "")
