"""A metric in long form: one row a cell, every float exact."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from inferometer.escapes import text_row
from inferometer.flags import words
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import Metric
from inferometer.tables.model import why_empty

COLUMNS = (
    "batch_size",
    "framework",
    "precision",
    "gpu",
    "value",
    "unit",
    "low",
    "high",
    "source",
    "status",
    "metric",
    "model",
    "mode",
    "device",
)


def long_rows(results: Results, metric: Metric) -> list[dict[str, Any]]:
    """Return a dict a cell with `COLUMNS` as keys; None: not known."""
    return [_row(summary, metric) for summary in results.summaries]


def _row(summary: CellSummary, metric: Metric) -> dict[str, Any]:
    estimate = metric.of(summary) if summary.measured else None
    return {
        "batch_size": summary.cell.batch_size,
        "framework": summary.row.removesuffix(f" {summary.cell.precision}"),
        "precision": summary.cell.precision,
        "gpu": summary.machine,
        "value": estimate.value if estimate else None,
        "unit": metric.unit,
        "low": estimate.low if estimate else None,
        "high": estimate.high if estimate else None,
        "source": _source(estimate) if estimate else why_empty(summary, metric)[1],
        "status": summary.status,
        "metric": metric.name,
        "model": summary.model,
        "mode": summary.cell.mode,
        "device": summary.cell.device,
    }


def _source(estimate: Estimate) -> str:
    return f"{estimate.source}; {words(estimate.remark)}" if estimate.remark else estimate.source


def to_csv(results: Results, metric: Metric) -> str:
    """Return the long form as CSV; a value not known is empty, floats read back to the same bits."""
    rows = long_rows(results, metric)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(text_row(row) for row in rows)
    return out.getvalue()


def to_json(results: Results, metric: Metric) -> str:
    """Return the long form as a JSON list of objects."""
    return json.dumps(long_rows(results, metric), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
