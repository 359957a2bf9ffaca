"""The table that a run ends with: a row per cell, best first within each batch size."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inferometer import units
from inferometer.records import Record
from inferometer.summary import METRICS, CellSummary, Estimate, Results

COLUMNS = (
    "batch", "framework", "images/s", "95 % interval", "ms/batch p50", "p99", "prepare", "memory", "J/image", "max rel. error", "rounds",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One cell as text, and how to show it."""

    texts: tuple[str, ...]
    mark: str  # "best", "tie" or ""
    failed: bool


def rows(results: Results) -> list[Row]:
    """Return the rows: batch sizes ascending, then throughput descending, cells without a rank last."""
    return [_row(summary) for summary in sorted(results.summaries, key=_order)]


def _order(summary: CellSummary) -> tuple[Any, ...]:
    speed = summary.throughput.value if summary.ranked and summary.throughput else 0.0
    cell = summary.cell
    return summary.machine, summary.model, cell.mode, cell.batch_size, not summary.ranked, -speed, summary.row


def _row(summary: CellSummary) -> Row:
    name = summary.row if summary.cell.mode == "host" else f"{summary.row} ({summary.cell.mode})"
    if not summary.ranked:
        return Row((str(summary.cell.batch_size), name, summary.status, summary.cause), "", True)
    mark = "best" if summary.best else "tie" if summary.tie else ""
    texts = (
        str(summary.cell.batch_size),
        name + {"best": " *", "tie": " ="}.get(mark, ""),
        _number(summary.throughput),
        _interval(summary.throughput),
        _number(summary.p50, 1e3),
        _number(summary.p99, 1e3),
        units.duration(summary.prepare.total.value) if summary.prepare else "",
        units.size(summary.memory.value) if summary.memory else "",
        _number(summary.energy_image) or _short_reason(summary.energy_reason),
        f"{summary.parity.max_rel:.0e}" if summary.parity and summary.parity.max_rel is not None else "",
        str(summary.rounds),
    )
    return Row(texts, mark, False)


def _number(estimate: Estimate | None, scale: float = 1.0) -> str:
    return units.significant(estimate.value * scale) if estimate else ""


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{units.significant(estimate.low)} - {units.significant(estimate.high)}"


def _short_reason(reason: str) -> str:
    return reason.partition(":")[0]


def notes(results: Results) -> list[str]:
    """Return what a reader of the table must know: marks, flags, energy's absence, failures' full causes."""
    summaries = results.summaries
    lines = ["* highest throughput of its batch size; = cannot be told from it by these data"]
    reasons = dict.fromkeys(s.energy_reason for s in summaries if s.ranked and s.energy_reason)
    lines += [f"energy: {reason}" for reason in reasons]
    for flag, names in _grouped((flag, _name(s)) for s in summaries for flag in s.flags).items():
        lines.append(f"{flag}: {', '.join(names)}")
    return lines


def skipped(results: Results) -> list[str]:
    """Return a line for each reason why planned cells were not run, with the frameworks it holds for."""
    pairs = ((skip.reason, skip.cell.framework) for run in results.runs for skip in run.info.skips)
    return [f"skipped {', '.join(names)}: {reason}" for reason, names in _grouped(pairs).items()]


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        groups.setdefault(key, {})[name] = None
    return {key: list(names) for key, names in groups.items()}


def _name(summary: CellSummary) -> str:
    return f"{summary.row} at {summary.cell.batch_size}"


def flat_rows(results: Results) -> list[dict[str, Any]]:
    """Return a plain dict per cell: its coordinates, status, and every metric with its interval, in SI units."""
    return [_flat(summary) for summary in sorted(results.summaries, key=_order)]


def _flat(summary: CellSummary) -> dict[str, Any]:
    cell = summary.cell
    row: dict[str, Any] = {
        "machine": summary.machine,
        "model": summary.model,
        "framework": cell.framework,
        "precision": cell.precision,
        "batch_size": cell.batch_size,
        "device": cell.device,
        "mode": cell.mode,
        "status": summary.status,
        "cause": summary.cause,
        "rounds": summary.rounds,
        "best": summary.best,
        "tie": summary.tie,
    }
    for name, metric in METRICS.items():
        estimate = metric.of(summary) if summary.ranked else None
        row[name] = estimate.value if estimate else None
        row[f"{name}_low"] = estimate.low if estimate else None
        row[f"{name}_high"] = estimate.high if estimate else None
    if summary.parity:
        row["max_rel_error"] = summary.parity.max_rel
    return row


def to_html(results: Results) -> str:
    """Return the table as HTML, for notebooks."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    body = "".join(_html_row(row) for row in rows(results))
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in (*notes(results), *skipped(results)))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{lines}</ul>"


def _html_row(row: Row) -> str:
    style = ' style="font-weight:bold"' if row.mark == "best" else ""
    texts = [html.escape(text) for text in row.texts]
    cells = [f"<td>{text}</td>" for text in texts]
    if row.failed:
        cells[-1] = f'<td colspan="{len(COLUMNS) - len(texts) + 1}">{texts[-1]}</td>'
    return f"<tr{style}>{''.join(cells)}</tr>"


def failures(records: Iterable[Record]) -> list[Record]:
    """Return the records that did not end well."""
    return [record for record in records if record.status not in ("ok", "skipped")]
