"""A history as one offline page of small multiples: a figure a cell, its runs from left to right, changes marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.comparison.history import History, Line, Point
from inferometer.comparison.history_render import told, versions
from inferometer.report.page.html import as_data, asset, filled, library, own, policy_of
from inferometer.report.writing import writing
from inferometer.results.metrics import Scale
from inferometer.units import counted
from inferometer.version import __version__


def write_history(found: History, out: Path, *, title: str) -> Path:
    """Write the page to ``out`` and return it; StoreError if it cannot be written."""
    page = render_history(found, title=title)
    with writing(out, "give another --out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    return out


def render_history(found: History, *, title: str) -> str:
    """Return the whole page."""
    scale = found.scale
    lines = [_line(line, found, scale) for line in found.lines]
    scripts = {"library": library(), "script": asset("dom.js") + "\n" + asset("history.js")}
    data = {"lines": lines, "unit": scale.unit, "more": found.metric.higher_is_better}
    return filled(
        "history.html.j2",
        {
            "title": title,
            "facts": f"{counted(found.runs, 'run')}, {counted(len(lines), 'cell')}",
            "lines": lines,
        },
        unit=scale.unit,
        better="more is better" if found.metric.higher_is_better else "less is better",
        policy=policy_of(list(scripts.values())),
        style=own(asset("report.css") + asset("history.css")),
        data=own(as_data(data)),
        version=__version__,
        **{name: own(script) for name, script in scripts.items()},
    )


def _line(line: Line, found: History, scale: Scale) -> dict[str, Any]:
    return {
        "name": found.title_of(line),
        "versions": versions(line),
        "changes": [told(point, found.metric) for point in line.changes],
        "points": [_point(point, scale, number) for number, point in enumerate(line.points)],
    }


def _point(point: Point, scale: Scale, number: int) -> dict[str, Any]:
    value, low, high = scale.ends(point.estimate) if point.estimate else (None, None, None)
    return {
        "x": number,
        "at": point.at[:10] or point.path.name,
        "version": point.version,
        "run": point.path.name,
        "y": value,
        "low": low,
        "high": high,
        "shown": "" if value is None else scale.show(point.estimate.value if point.estimate else 0.0),
        "status": point.summary.status,
        "verdict": point.change.verdict if point.change else "",
        "changed": point.is_change,
    }
