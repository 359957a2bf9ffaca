"""How each framework stands at each batch size, at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.report.page.heatmap import HeatMap, Skipped, heat_maps, skipped_everywhere
from inferometer.report.page.sections import Content

ORDER, TITLE = 14, "Heat map"


@dataclass(frozen=True)
class HeatPart:
    """The heat maps of one model in one mode, and the rows that stand in none."""

    anchor: str
    title: str
    maps: tuple[HeatMap, ...]
    skipped: tuple[Skipped, ...]


def build(content: Content) -> tuple[HeatPart, ...]:
    """Return the heat maps of every part."""
    results = content.results
    return tuple(
        HeatPart(
            part.anchor,
            part.title,
            heat_maps(results, model, mode, content.palette),
            skipped_everywhere(results.select(model=model, mode=mode)),
        )
        for part, (model, mode) in zip(content.parts, results.sections, strict=True)
    )
