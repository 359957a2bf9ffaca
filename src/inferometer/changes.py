"""A comparison for people and for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from inferometer.compare import Change, Comparison
from inferometer.metrics import Metric
from inferometer.records import Protocol
from inferometer.summary import CellSummary
from inferometer.tables.markup import markdown_text
from inferometer.tables.model import scale_of

_STYLES = {
    "better": "green",
    "repaired": "green",
    "worse": "bold red",
    "broken": "bold red",
    "tie": "",
    "not comparable": "dim",
}
_NAMED_CELLS = 8  # so many are named in one line
_SIGNS = {"better": "▲", "repaired": "▲", "worse": "▼", "broken": "✗", "tie": "≈", "not comparable": ""}


def word(change: Change, metric: Metric) -> str:
    """Return the verdict in the metric's own words."""
    names = {"throughput": ("faster", "slower"), "latency": ("faster", "slower")}.get(
        metric.name, ("better", "worse")
    )
    return {"better": names[0], "worse": names[1]}.get(change.verdict, change.verdict)


def percent(change: Change) -> str:
    """Return the change as a share with its interval: "-3.1 % (-3.9 to -2.3)"."""
    if change.ratio is None:
        return ""
    text = f"{100 * (change.ratio - 1):+.1f} %"
    if change.low is not None and change.high is not None:
        text += f" ({100 * (change.low - 1):+.1f} to {100 * (change.high - 1):+.1f})"
    return text


def sentence(change: Change, metric: Metric) -> str:
    """Return one line that says what became of a cell."""
    if change.ratio is None:
        return f"{change.name}: {change.verdict}: {change.reason}"
    return f"{change.name}: {word(change, metric)}, {metric.name} {percent(change)}, {change.basis}"


def differences(found: Comparison) -> list[str]:
    """Return what else differs between A and B: versions as the frameworks reported them, and how was measured."""
    versions: dict[str, dict[tuple[str, str], None]] = {}
    for change in found.changes:
        if change.first and change.second and change.first.actual and change.second.actual:
            ours, theirs = _versions(change.first), _versions(change.second)
            common = {*ours} & {*theirs} if found.of_two_frameworks else {*ours, *theirs}
            for name in sorted(common):
                pair = (ours.get(name, "none"), theirs.get(name, "none"))
                if pair[0] != pair[1]:
                    versions.setdefault(name, {})[pair] = None
    told = [f"{name}: {old} -> {new}" for name, pairs in versions.items() for old, new in pairs]
    return told + _protocol_differences(*found.protocols)


_PROTOCOL = {  # field of records.Protocol: what people call it
    "images": "images a loop",
    "loops": "loops",
    "warmup": "warm-up batches",
    "rounds": "rounds",
    "budget_s": "budget [s]",
    "least_loops": "least loops within the budget",
    "energy_window_s": "energy window [s]",
}


def _protocol_differences(first: Sequence[Protocol], second: Sequence[Protocol]) -> list[str]:
    lines = []
    for field, title in _PROTOCOL.items():
        values = [sorted({getattr(protocol, field) for protocol in side}) for side in (first, second)]
        if values[0] != values[1]:
            old, new = (", ".join(f"{value:g}" if value else "none" for value in side) for side in values)
            lines.append(f"{title}: {old} -> {new}")
    return lines


def _versions(summary: CellSummary) -> dict[str, str]:
    assert summary.actual
    name = summary.cell.framework.partition("@")[0]
    own = {name: summary.actual.version} if summary.actual.version else {}
    return own | dict(summary.actual.versions)


def incomparable(found: Comparison) -> list[str]:
    """Return a line a reason why cells were not compared: how many, and which."""
    reasons: dict[str, list[str]] = {}
    for change in found.changes:
        if change.verdict == "not comparable":
            reasons.setdefault(change.reason, []).append(change.name)
    return [f"not comparable, {reason}: {_some(names)}" for reason, names in reasons.items()]


def _some(names: list[str]) -> str:
    if len(names) <= _NAMED_CELLS:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED_CELLS - 1])} and {len(names) - _NAMED_CELLS + 1} more"


def headline(found: Comparison) -> str:
    """Return the counts in one line."""
    names = [word(change, found.metric) for change in found.changes]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return f"{len(found.changes)} cells: " + ", ".join(f"{n} {name}" for name, n in counts.items())


def _rows(found: Comparison) -> list[tuple[Change, str, str]]:
    values = [e.value for c in found.changes for s in (c.first, c.second) if s and (e := found.metric.of(s))]
    scale = scale_of(found.metric, values)

    def show(summary: CellSummary | None) -> str:
        estimate = found.metric.of(summary) if summary and summary.status == "ok" else None
        return (
            f"{scale.show(estimate.value)} {scale.unit}" if estimate else (summary.status if summary else "")
        )

    compared = (change for change in found.changes if change.verdict != "not comparable")
    return [(change, show(change.first), show(change.second)) for change in compared]


def render(found: Comparison, console: Console) -> None:
    """Print the comparison to the terminal."""
    for line in differences(found):
        console.print(Text(line))
    signs = (console.encoding or "").lower().startswith("utf")
    grid = Grid(show_edge=False, pad_edge=False)
    for name in ("Cell", "A", "B", f"{found.metric.name} B/A", "Verdict", "Basis"):
        grid.add_column(name, justify="right" if name in ("A", "B") else "left")
    for change, first, second in _rows(found):
        verdict = word(change, found.metric) + (f" {_SIGNS[change.verdict]}" if signs else "")
        grid.add_row(
            Text(change.name), Text(first), Text(second), percent(change),
            Text(verdict, style=_STYLES[change.verdict]), Text(change.reason or change.basis),
        )  # fmt: skip
    console.print(Text(headline(found), style="bold"))
    if grid.row_count:
        console.print(grid)
    for line in incomparable(found):
        console.print(Text(line, style=_STYLES["not comparable"]))


def to_markdown(found: Comparison) -> str:
    """Return the comparison for a pull request."""
    lines = [f"**{headline(found)}**", "", *(f"- {markdown_text(line)}" for line in differences(found))]
    rows = _rows(found)
    if rows:
        lines += [
            "",
            f"| cell | A | B | {found.metric.name} B/A (95 %) | verdict | basis |",
            "|---|---:|---:|---|---|---|",
        ]
    for change, first, second in rows:
        verdict = f"{_SIGNS[change.verdict]} {word(change, found.metric)}".strip()
        verdict = f"**{verdict}**" if change.verdict in ("worse", "broken") else verdict
        basis = markdown_text(change.reason or change.basis)
        texts = (markdown_text(text) for text in (change.name, first, second))
        lines.append(f"| {' | '.join(texts)} | {percent(change)} | {verdict} | {basis} |")
    lines += ["", *(f"- {markdown_text(line)}" for line in incomparable(found))]
    return "\n".join(lines).rstrip() + "\n"


def to_json(found: Comparison) -> str:
    """Return the comparison as JSON: a list of objects, one a cell."""
    rows: list[dict[str, Any]] = []
    for change in found.changes:
        values = [
            found.metric.of(s) if s and s.status == "ok" else None for s in (change.first, change.second)
        ]
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
