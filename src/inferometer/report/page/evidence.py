"""What is behind each cell, in words and numbers: for the page's drawer and for its table of all cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from inferometer.flags import group
from inferometer.records import Cell
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.palette import Palette
from inferometer.report.figures.rounding import numbers
from inferometer.report.page.verdict import reading
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import ENERGY, MEMORY, PHASES, THROUGHPUT, Metric, Place, metrics_in
from inferometer.storage.commands import again
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted, duration

Data = dict[str, Any]


def columns(results: Results) -> list[Metric]:
    """Return the metrics of the table of all cells: those of the page that some cell has."""
    shown = metrics_in(Place.PAGE)
    return [m for m in shown if any(m.of(s) is not None for s in results.summaries if s.measured)]


def evidence(results: Results, palette: Palette) -> Data:
    """Return a column a metric, and every cell: its address in the page, its values by column, and what is behind it."""
    metrics = columns(results)
    runs = {run.path: run for run in results.runs}
    several = len({s.model for s in results.summaries}) > 1
    return {
        "columns": [
            {"title": m.title, "unit": m.figure_scale.unit, "more": m.higher_is_better} for m in metrics
        ],
        "cells": [_cell(s, metrics, runs, palette, several=several) for s in results.summaries],
    }


def address(summary: CellSummary, *, several: bool) -> str:
    """Return how a cell is called in the page's address: machine/framework/precision/batch size/mode, and the model of several."""
    cell = summary.cell
    parts = [summary.machine, framework_label(summary), cell.precision, str(cell.batch_size), cell.mode]
    return "/".join([*parts, summary.model] if several else parts)


def _cell(
    summary: CellSummary,
    metrics: Sequence[Metric],
    runs: dict[Any, StoredRun],
    palette: Palette,
    *,
    several: bool,
) -> Data:
    label = framework_label(summary)
    data: Data = {
        "key": summary.key,
        "at": address(summary, several=several),
        "name": summary.name,
        "f": palette.index(label),
        "who": [
            summary.machine,
            summary.model,
            label,
            summary.cell.precision,
            summary.cell.mode,
            summary.cell.batch_size,
        ],
        "status": summary.status,
        "values": [_value(summary, metric) for metric in metrics],
        "facts": list(_facts(summary, runs)),
    }
    if summary.cause:
        data["cause"] = summary.cause
    if rates := _rates(summary):
        data["rates"] = rates
    if summary.batch_quantiles_s:
        data["latencies"] = numbers(1e3 * found for found in summary.batch_quantiles_s)
    return data


def _value(summary: CellSummary, metric: Metric) -> list[float | None] | None:
    found = metric.of(summary) if summary.measured else None
    return None if found is None else numbers(metric.figure_scale.ends(found))


def _rates(summary: CellSummary) -> list[float | None]:
    """Return the throughput of every round, images/s."""
    series = summary.series.get("throughput")
    return numbers(np.exp(series.logs).tolist()) if series else []


def _facts(summary: CellSummary, runs: dict[Any, StoredRun]) -> Iterator[tuple[str, str]]:
    """Yield what a reader may ask of a cell, as (name, text)."""
    if summary.rounds:
        batches = summary.full_batches
        timed = f", {counted(batches, 'batch')} timed one by one" if batches else ""
        yield "Rounds", f"{_processes(summary.rounds)}; {counted(summary.loops, 'loop')}{timed}"
    if summary.throughput:
        yield "Throughput", reading(summary.throughput, THROUGHPUT)
    if summary.phases:
        yield (
            "Phases",
            ", ".join(
                f"{n.replace('_', ' ')} {duration(summary.phases[n].value)}"
                for n in PHASES
                if n in summary.phases
            ),
        )
    if summary.prepare:
        ready = summary.prepare
        yield (
            "Time to ready",
            f"{duration(ready.total.value)}: load {duration(ready.load_s)}, compile {duration(ready.compile_s)}, first run {duration(ready.first_run_s)}",
        )
    if summary.energy_image:
        yield (
            "Energy",
            f"{reading(summary.energy_image, ENERGY)}; by {summary.meter or 'an imported figure'}, {summary.energy_image.source}",
        )
    elif summary.energy_reason:
        yield "Energy", summary.energy_reason
    if summary.memory:
        yield "Memory", f"{MEMORY.show(summary.memory.value)}: {summary.memory.source}"
    if summary.parity and summary.parity.max_rel is not None:
        limit = summary.parity.tolerance or summary.parity.limit_rel
        yield "Error", f"{summary.parity.max_rel:.2g} of the largest output; the limit is {limit:.2g}"
    if summary.actual:
        actual = summary.actual
        version = f", version {actual.version}" if actual.version else ""
        yield (
            "Ran as",
            f"{actual.device}, {actual.precision}, {counted(actual.threads or 0, 'thread')}{version}",
        )
    for told in group((flag, "") for flag in summary.flags):
        yield "Told", told.words
    yield from _origin(summary, runs)


def _processes(rounds: int) -> str:
    return "1, a fresh process" if rounds == 1 else f"{rounds}, each a fresh process"


def _origin(summary: CellSummary, runs: dict[Any, StoredRun]) -> Iterator[tuple[str, str]]:
    found = [runs[path] for path in summary.paths if path in runs]
    yield "From", ", ".join(run.path.name for run in found)
    if summary.log:
        yield "Log", summary.log
    command = next((run.info.command for run in found if run.info.command.startswith("inferometer run")), "")
    if command:
        yield "Measure it again", _of_cell(command, summary.cell)


def _of_cell(command: str, cell: Cell) -> str:
    """Return a run's command for one cell alone, on all of its devices where they were measured at once."""
    chosen = {
        "--frameworks": cell.framework,
        "--precisions": cell.precision,
        "--batch-sizes": str(cell.batch_size),
        "--device": cell.device,
        "--modes": cell.mode,
    }
    if "--at-once" in command:
        del chosen["--device"]
    replaced = tuple(chosen)
    if cell.precision.startswith("stored-"):  # a file is measured at what it holds whatever is asked
        del chosen["--precisions"]
    return again(command, replaced, [word for pair in chosen.items() for word in pair])
