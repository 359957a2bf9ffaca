"""The sections of the page: a file each, with a template of its name in `assets/sections`, found by their names.

A section's file has an `ORDER`, a `TITLE` and a function `build(content)`, whose answer the template knows as `view`: texts and
numbers, no markup. A section whose view is None is left out.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.recommendation.objectives import Prices
from inferometer.report.figures.palette import Palette
from inferometer.report.page.parts import PartView
from inferometer.report.page.tables import TableView
from inferometer.results.cells import Results


@dataclass(frozen=True)
class Content:
    """What sections are made of: the results, their colours, and the views of each model in each mode."""

    results: Results
    palette: Palette
    parts: tuple[PartView, ...]
    groups: Sequence[dict[str, Any]]  # `frontier.frontier_data`
    tables: Callable[[], Sequence[Sequence[TableView]]]  # returns those of each part, once they are made
    prices: Prices


@dataclass(frozen=True)
class Section:
    """One section, made ready for its template."""

    anchor: str
    title: str
    order: int
    view: Any

    @property
    def template(self) -> str:
        """Return the template's name below the assets."""
        return f"sections/{self.anchor}.html.j2"


def build(content: Content) -> tuple[Section, ...]:
    """Return all sections in their order."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    modules = ((name, importlib.import_module(f"{__name__}.{name}")) for name in names)
    views = ((name, module, module.build(content)) for name, module in modules)
    found = (Section(name, m.TITLE, m.ORDER, view) for name, m, view in views if view is not None)
    return tuple(sorted(found, key=lambda section: section.order))
