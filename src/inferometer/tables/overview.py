"""The table that a run ends with: a row per cell, best first within each batch size."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer import units
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import unfinished
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import METRICS, PHASES
from inferometer.results.resolution import resolution_text
from inferometer.results.similar_remarks import group_similar


@dataclass(frozen=True)
class Column:
    """One column: its title, its text for a measured cell, and how soon a narrow screen does without (0: never)."""

    title: str
    text: Callable[[CellSummary], str]
    drop_order: int = 0


def _error(summary: CellSummary) -> str:
    parity = summary.parity
    return f"{parity.max_rel:.0e}" if parity and parity.max_rel is not None else ""


COLUMNS = (
    Column("batch", lambda s: str(s.cell.batch_size)),
    Column("device", lambda s: s.cell.device),
    Column("framework", lambda s: _name(s) + {"best": " *", "tie": " ="}.get(_mark(s), "")),
    Column("images/s", lambda s: _number(s.throughput)),
    Column("±95 %", lambda s: _half_width(s.throughput)),
    Column("p50 ms", lambda s: _number(s.p50, 1e3), drop_order=2),
    Column("p99 ms", lambda s: _doubtful(s.p99) + _number(s.p99, 1e3), drop_order=3),
    Column("prepare", lambda s: units.duration(s.prepare.total.value) if s.prepare else "", drop_order=4),
    Column("memory", lambda s: units.size(s.memory.value) if s.memory else "", drop_order=6),
    Column("J/image", lambda s: _number(s.energy_image) or _short_reason(s.energy_reason), drop_order=1),
    Column("error", _error, drop_order=5),
    Column("rounds", lambda s: str(s.rounds), drop_order=7),
)


@dataclass(frozen=True)
class Row:
    """One cell, and how to show it."""

    summary: CellSummary
    mark: str  # "best", "tie" or ""

    @property
    def name(self) -> str:
        """Return the framework, with precision and mode where they tell rows apart."""
        return _name(self.summary)


def rows(results: Results) -> list[Row]:
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


def _row(summary: CellSummary) -> Row:
    return Row(summary, _mark(summary))


def _mark(summary: CellSummary) -> str:
    return "best" if summary.best else "tie" if summary.tie else ""


def columns(results: Results) -> list[Column]:
    """Return the columns worth showing: those with any text, energy if any was metered, devices if several."""
    measured = [summary for summary in results.summaries if summary.measured]
    worth = {
        "J/image": any(summary.energy_image for summary in results.summaries),
        "device": len({summary.cell.device for summary in measured}) > 1,
    }
    return [c for c in COLUMNS if worth.get(c.title, True) and any(c.text(summary) for summary in measured)]


def _number(estimate: Estimate | None, scale: float = 1.0) -> str:
    return units.significant(estimate.value * scale) if estimate else ""


def _half_width(estimate: Estimate | None) -> str:
    share = estimate.half_width if estimate else None
    return "" if share is None else f"{100 * share:.1f} %"


def _doubtful(estimate: Estimate | None) -> str:
    return "~" if estimate and estimate.remark else ""


def _short_reason(reason: str) -> str:
    return reason.partition(":")[0]


def notes(results: Results) -> list[str]:
    """Return what a reader of the table must know: marks, flags, energy's absence, failures' full causes."""
    summaries = results.summaries
    lines = [
        *_meaning_of_marks([s for s in summaries if s.ranked]),
        *_of_intervals([s for s in summaries if s.measured]),
        *filter(None, [resolution_text(results)]),
    ]
    reasons = dict.fromkeys(s.energy_reason for s in summaries if s.measured and s.energy_reason)
    lines += [f"energy: {reason}" for reason in reasons]
    flagged = ((flag, (_name(s), s.cell.batch_size)) for s in summaries for flag in s.flags)
    return lines + [f"{flag}: {_cells(found)}" for flag, found in group_similar(flagged)]


def _meaning_of_marks(ranked: Sequence[CellSummary]) -> list[str]:
    if not ranked:
        return []
    place = "device" if len({s.cell.device for s in ranked}) > 1 else "machine"
    differing = {
        "mode": {s.cell.mode for s in ranked},
        "model": {s.model for s in ranked},
        place: {s.machine for s in ranked},
    }
    among = [name for name, values in differing.items() if len(values) > 1]
    rivals = units.listed(["batch size", *among])
    unjudged = "" if all(s.judged for s in ranked) else "; not judged where both have one round"
    return [f"* highest throughput of its {rivals}; = cannot be told from it by these data{unjudged}"]


def _of_intervals(ranked: Sequence[CellSummary]) -> list[str]:
    """Return which intervals say nothing of the next process, and which percentiles rest on too few batches."""
    alone = [s for s in ranked if s.throughput and s.throughput.within_one_process]
    lines = []
    if alone:
        which = (
            "" if len(alone) == len(ranked) else f": {_cells((_name(s), s.cell.batch_size) for s in alone)}"
        )
        lines.append(
            f"±95 % within one process, which says nothing of the next one (more rounds tell){which}"
        )
    meters = (
        (s.energy_image.remark, (_name(s), s.cell.batch_size))
        for s in ranked
        if s.energy_image and s.energy_image.remark
    )
    lines += [f"{text}: {_cells(found)}" for text, found in group_similar(meters)]
    few = ((s.p99.remark, s.key) for s in ranked if s.p99 and s.p99.remark)
    return lines + [f"~ {text}" for text, _ in group_similar(few)]


def _cells(found: Iterable[tuple[str, int]]) -> str:
    sizes: dict[str, list[int]] = {}
    for name, size in found:
        sizes.setdefault(name, []).append(size)
    return "; ".join(f"{name} at {', '.join(map(str, sorted(which)))}" for name, which in sizes.items())


def skipped(results: Results) -> list[str]:
    """Return a line for each reason why cells were not run, with the frameworks it holds for."""
    pairs = ((s.cause, _name(s)) for s in results.summaries if s.status == "skipped")
    return [f"skipped {', '.join(names)}: {reason}" for reason, names in _grouped(pairs).items()]


def failures(results: Results) -> list[str]:
    """Return a line for each cell that was run and failed: status, cause, and its device where there are several."""
    several = len({summary.cell.device for summary in results.summaries}) > 1
    return [
        _failure(row.summary, f" on {row.summary.cell.device}" if several else "")
        for row in rows(results)
        if not (row.summary.measured or row.summary.status == "skipped")
    ]


def _failure(summary: CellSummary, where: str) -> str:
    return f"{_name(summary)} at {summary.cell.batch_size}{where}: {summary.status}: {summary.cause}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        groups.setdefault(key, {})[name] = None
    return {key: list(names) for key, names in groups.items()}


def _name(summary: CellSummary) -> str:
    return summary.row if summary.cell.mode == "host" else f"{summary.row} ({summary.cell.mode})"


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
        if name in PHASES:  # seconds without an interval
            row[f"{name}_s"] = estimate.value if estimate else None
            continue
        row[name] = estimate.value if estimate else None
        row[f"{name}_low"] = estimate.low if estimate else None
        row[f"{name}_high"] = estimate.high if estimate else None
    energy = summary.energy_image or summary.power
    row["energy_source"] = energy.source if energy else ""
    row["energy_reason"] = summary.energy_reason
    row["p99_remark"] = summary.p99.remark if summary.p99 else ""
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
    lines = (*unfinished(results), *failures(results), *skipped(results), *notes(results))
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{items}</ul>"


def _html_row(row: Row, shown: list[Column]) -> str:
    style = ' style="font-weight:bold"' if row.mark == "best" else ""
    cells = "".join(f"<td>{html.escape(column.text(row.summary))}</td>" for column in shown)
    return f"<tr{style}>{cells}</tr>"
