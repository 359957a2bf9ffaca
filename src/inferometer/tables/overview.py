"""The table that a run ends with: a row per cell, best first within each batch size."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from inferometer import units
from inferometer.flags import words
from inferometer.precisions import for_any
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import METRICS, Column
from inferometer.tables.notes import name_of, notes


def _error(summary: CellSummary) -> str:
    parity = summary.parity
    return f"{parity.max_rel:.0e}" if parity and parity.max_rel is not None else ""


def _of_metrics() -> list[Column]:
    found = [column for metric in METRICS.values() for column in metric.columns]
    return sorted(found, key=lambda column: column.place)


COLUMNS = (
    Column("batch", lambda s: str(s.cell.batch_size)),
    Column("device", lambda s: s.cell.device),
    Column("framework", lambda s: name_of(s) + {"best": " ▲", "tie": " ≈"}.get(_mark(s), "")),
    *_of_metrics(),
    Column("error", _error, drop_order=5),
    Column("rounds", lambda s: str(s.rounds), drop_order=7),
)


@dataclass(frozen=True)
class OverviewRow:
    """One cell, and how to show it."""

    summary: CellSummary
    mark: str  # "best", "tie" or ""

    @property
    def name(self) -> str:
        """Return the framework, with precision and mode where they tell rows apart."""
        return name_of(self.summary)


def rows(results: Results) -> list[OverviewRow]:
    """Return the rows: batch sizes ascending, then throughput descending, failed cells last."""
    return [_row(summary) for summary in sorted(results.summaries, key=_order)]


def _order(summary: CellSummary) -> tuple[Any, ...]:
    speed = summary.throughput.value if summary.ranked and summary.throughput else 0.0
    cell = summary.cell
    return (
        summary.machine,
        summary.model,
        cell.mode,
        cell.batch_size,
        not summary.measured,
        -speed,
        summary.row,
    )


def _row(summary: CellSummary) -> OverviewRow:
    return OverviewRow(summary, _mark(summary))


def _mark(summary: CellSummary) -> str:
    return "best" if summary.best else "tie" if summary.tie else ""


def columns(results: Results) -> list[Column]:
    """Return the columns worth showing: those with any text, metrics with any value, devices if several."""
    measured = [summary for summary in results.summaries if summary.measured]
    without = {
        column.title
        for metric in METRICS.values()
        for column in metric.columns
        if not any(metric.of(summary) for summary in results.summaries)
    }
    if len({summary.cell.device for summary in measured}) < 2:
        without.add("device")
    return [c for c in COLUMNS if c.title not in without and any(c.text(summary) for summary in measured)]


def skipped(results: Results) -> list[str]:
    """Return a line for each reason why cells were not run, with the frameworks it holds for."""
    pairs = ((skip_reason(s), name_of(s)) for s in results.summaries if s.status == "skipped")
    return [f"skipped {', '.join(names)}: {reason}" for reason, names in units.grouped(pairs).items()]


def skip_reason(summary: CellSummary) -> str:
    """Return why a cell was skipped, without the precision where the row's name has it."""
    precision = summary.cell.precision
    return for_any(summary.cause, precision) if precision in name_of(summary).split() else summary.cause


def failures(results: Results) -> list[str]:
    """Return a line for each cell that was run and failed: status, cause, and its device where there are several."""
    several = len({summary.cell.device for summary in results.summaries}) > 1
    failed = [s for s in results.summaries if not (s.measured or s.status == "skipped")]
    return [_failure(s, f" on {s.cell.device}" if several else "") for s in sorted(failed, key=_order)]


def _failure(summary: CellSummary, where: str) -> str:
    return f"{name_of(summary)} at {summary.cell.batch_size}{where}: {summary.status}: {summary.cause}"


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
        "judged": summary.judged,
    }
    for name, metric in METRICS.items():
        estimate = metric.of(summary) if summary.measured else None
        if metric.family == "phase":  # seconds without an interval
            row[f"{name}_s"] = estimate.value if estimate else None
            continue
        row[name] = estimate.value if estimate else None
        row[f"{name}_low"] = estimate.low if estimate else None
        row[f"{name}_high"] = estimate.high if estimate else None
    energy = summary.energy_image or summary.power
    row["energy_source"] = energy.source if energy else ""
    row["energy_reason"] = summary.energy_reason
    row["flags"] = " ".join(dict.fromkeys(found.kind for found in summary.flags))
    row["p99_remark"] = words(summary.p99.remark) if summary.p99 and summary.p99.remark else ""
    sampled = summary.phases.values() if summary.measured else ()
    row["phases_source"] = next((phase.source for phase in sampled), "")
    if summary.parity:
        row["max_rel_error"] = summary.parity.max_rel
    return row


def to_html(results: Results) -> str:
    """Return the table as HTML, for notebooks."""
    shown = columns(results)
    head = "".join(f"<th>{html.escape(column.title)}</th>" for column in shown)
    everything = rows(results)
    body = "".join(_html_row(row, shown) for row in everything if row.summary.measured)
    lines = (
        *unfinished(results),
        *failures(results),
        *skipped(results),
        *(note.words for note in notes(results)),
    )
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{items}</ul>"


def _html_row(row: OverviewRow, shown: list[Column]) -> str:
    style = ' style="font-weight:bold"' if row.mark == "best" else ""
    cells = "".join(f"<td>{html.escape(column.text(row.summary))}</td>" for column in shown)
    return f"<tr{style}>{cells}</tr>"
