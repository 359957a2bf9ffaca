"""The first thing that the page says: what to use on each machine, and the limits and the frontier that it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.report.page.frontier import axes
from inferometer.report.page.limits import Limit, limits
from inferometer.report.page.parts import PartView
from inferometer.report.page.sections import Content

ORDER, TITLE = 10, "Verdict"


@dataclass(frozen=True)
class VerdictView:
    """The parts, which hold their answers and verdicts, and what a reader may move."""

    parts: tuple[PartView, ...]
    limits: tuple[Limit, ...]
    axes: tuple[tuple[str, str], ...]  # that some cell has a value on: (name, title)


def build(content: Content) -> VerdictView:
    """Return what the first screen shows."""
    options = [option for group in content.groups for option in group["options"]]
    known = axes(content.prices).items()
    shown = tuple((name, title) for name, (title, _, _) in known if any(name in o["y"] for o in options))
    return VerdictView(content.parts, limits(content.groups, content.prices), shown)
