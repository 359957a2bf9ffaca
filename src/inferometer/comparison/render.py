"""A comparison for the terminal, for a pull request and for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from inferometer.comparison.changes import Change, Comparison
from inferometer.comparison.wording import (
    MISHAPS,
    differences,
    headline,
    incomparable,
    mishaps,
    percent,
    short_name,
    unsure,
    word,
)
from inferometer.results.cells import CellSummary
from inferometer.tables.grid import Grid
from inferometer.tables.markup import markdown_table, markdown_text

_STYLES = {
    "better": "green",
    "repaired": "green",
    "worse": "bold red",
    "broken": "bold red",
    "tie": "",
    "unclear": "yellow",
    "not judged": "dim",
    "not comparable": "dim",
}
_SIGNS = {"better": "▲", "repaired": "▲", "worse": "▼", "broken": "✗", "tie": "≈", "unclear": "?"}


def _rows(found: Comparison) -> tuple[str, str, list[tuple[Change, str, str]]]:
    """Return titles for A's and B's values, with their unit, and the compared cells with the two: value or status."""
    values = [e.value for c in found.changes for s in (c.first, c.second) if s and (e := found.metric.of(s))]
    scale = found.metric.scale_for(values)

    def show(summary: CellSummary | None) -> str:
        estimate = found.metric.of(summary) if summary and summary.measured else None
        return scale.show(estimate.value) if estimate else (summary.status if summary else "")

    compared = (change for change in found.changes if change.verdict != "not comparable")
    titles = [f"{side} ({scale.unit})" if scale.unit else side for side in ("A", "B")]
    rows = [(change, show(change.first), show(change.second)) for change in compared]
    return titles[0], titles[1], rows


def _basis(change: Change) -> str:
    return "see below" if change.verdict in MISHAPS else change.basis


def _only_basis(changes: Sequence[Change]) -> str:
    """Return what all verdicts rest on; "" where that differs or a cell has none."""
    found = {change.basis for change in changes}
    return found.pop() if len(found) == 1 else ""


def to_text(found: Comparison, *, signs: bool = True) -> Iterator[RenderableType]:
    """Return the comparison for the terminal, part by part; ``signs``: marks beyond ASCII may be used."""
    yield from map(Text, differences(found))
    ours, theirs, rows = _rows(found)
    common = _only_basis([change for change, _, _ in rows])
    grid = Grid(show_edge=False, pad_edge=False)
    titles = ["Cell", ours, theirs, f"{found.metric.name} B/A", "Verdict"]
    for title in titles if common else [*titles, "Basis"]:
        grid.add_column(title, justify="right" if title in (ours, theirs) else "left")
    for change, first, second in rows:
        verdict = word(change, found.metric) + (f" {_SIGNS.get(change.verdict, '')}" if signs else "")
        told = Text(verdict, style=_STYLES[change.verdict])
        texts = [
            Text(short_name(change, found)),
            Text(first),
            Text(second),
            Text(percent(change)),
            told,
        ]
        grid.add_row(*texts if common else [*texts, Text(_basis(change))])
    yield Text(headline(found), style="bold")
    if grid.row_count:
        yield grid
    if common:
        yield Text(f"basis of each verdict: {common}")
    yield from map(Text, (*unsure(found), *mishaps(found)))
    for line in incomparable(found):
        yield Text(line, style=_STYLES["not comparable"])


def to_markdown(found: Comparison) -> str:
    """Return the comparison for a pull request."""
    lines = [f"**{headline(found)}**", "", *(f"- {markdown_text(line)}" for line in differences(found))]
    ours, theirs, rows = _rows(found)
    if rows:
        titles = ("cell", ours, theirs, f"{found.metric.name} B/A (95 %)", "verdict", "basis")
        lines += ["", *markdown_table(titles, [_markdown_row(found, *row) for row in rows], "lrrlll")]
    remarks = (*unsure(found), *mishaps(found), *incomparable(found))
    lines += ["", *(f"- {markdown_text(line)}" for line in remarks)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(found: Comparison, change: Change, first: str, second: str) -> list[str]:
    verdict = f"{_SIGNS[change.verdict]} {word(change, found.metric)}".strip()
    verdict = f"**{verdict}**" if change.verdict in ("worse", "broken") else verdict
    texts = [markdown_text(text) for text in (short_name(change, found), first, second)]
    return [*texts, percent(change), verdict, markdown_text(_basis(change))]


def to_json(found: Comparison) -> str:
    """Return the comparison as JSON: a list of objects, one a cell."""
    rows: list[dict[str, Any]] = []
    for change in found.changes:
        values = [found.metric.of(s) if s and s.measured else None for s in (change.first, change.second)]
        rows.append(
            {
                "cell": change.name,
                "metric": found.metric.name,
                "unit": found.metric.unit,
                "a": values[0].value if values[0] else None,
                "b": values[1].value if values[1] else None,
                "ratio": change.ratio,
                "low": change.low,
                "high": change.high,
                "p": change.p,
                "verdict": change.verdict,
                "basis": change.basis,
                "reason": change.reason,
            }
        )
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
