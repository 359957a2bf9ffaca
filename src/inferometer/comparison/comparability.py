"""Why two cells are of different things, so that their figures must not be compared (pure)."""

from __future__ import annotations

from inferometer.device import Device
from inferometer.records import Machine
from inferometer.results.cells import CellSummary
from inferometer.results.collecting import hardware_name
from inferometer.results.metrics import Metric
from inferometer.units import listed


def difference(a: CellSummary, b: CellSummary, first: Machine, second: Machine) -> str:
    """Return why two cells are of different things, or an empty text."""
    if first.name != second.name:
        return f"other machine: {first.name or 'unnamed'} / {second.name or 'unnamed'}"
    if any(Device.parse(summary.cell.device).is_gpu for summary in (a, b)):
        ours, theirs = _gpu(first, a), _gpu(second, b)
        if ours != theirs:
            return f"other GPU: {ours} / {theirs}"
    if (first.cpu, first.physical_cores) != (second.cpu, second.physical_cores):
        return f"other CPU: {first.cpu}, {first.physical_cores} cores / {second.cpu}, {second.physical_cores} cores"
    if first.usable_cores != second.usable_cores:
        return f"other share of the CPU: {first.usable_cores} / {second.usable_cores} cores usable"
    return _other_model(a, b)


def no_ratio(metric: Metric, a: CellSummary, b: CellSummary) -> str:
    """Return why two cells' figures have no ratio, and what to compare instead; or ""."""
    sides = {"A": metric.of(a), "B": metric.of(b)}
    if none := [side for side, found in sides.items() if found is None]:
        return f"no {metric.name} in {listed(none)}"
    # all lost is a ratio, of a metric without noise: 0
    low = [
        side
        for side, found in sides.items()
        if found and (found.value < 0 or (found.value == 0 and not (metric.exact and side == "B")))
    ]
    if not low:
        return ""
    remedy = f" (compare --metric {metric.instead})" if metric.instead else ""
    return f"{metric.name} is 0 or less in {listed(low)}, of which a ratio says nothing{remedy}"


def other_measure(metric: Metric, a: CellSummary, b: CellSummary) -> str:
    """Return why a metric of two cells is of different things, energy by two meters or answers to two data sets; or ""."""
    ours, theirs = metric.measure(a), metric.measure(b)
    if ours and theirs and ours != theirs:
        return f"other {'meter' if metric.metered else 'source'}: {ours} / {theirs}"
    if not metric.asked_for or a.evaluated is None or b.evaluated is None:
        return ""
    first, second = a.evaluated.evaluation.dataset, b.evaluated.evaluation.dataset
    alike = first.key == second.key
    return "" if alike else f"other data set, labels or preprocessing: {first.hash[:8]} / {second.hash[:8]}"


def _gpu(machine: Machine, summary: CellSummary) -> str:
    return hardware_name(machine, summary.cell.device)


def _other_model(a: CellSummary, b: CellSummary) -> str:
    if a.model_hash and b.model_hash and a.model_hash != b.model_hash:
        return f"other model, input shapes or inputs (or hashed before 2026-11-26): {a.model_hash[:8]} / {b.model_hash[:8]}"
    if a.actual and b.actual and a.actual.threads != b.actual.threads:
        return f"other number of threads: {a.actual.threads} / {b.actual.threads}"
    return ""
