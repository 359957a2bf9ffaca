"""Findings about newer against older machines."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from inferometer.findings.finding import Finding
from inferometer.host.gpu_years import launch_year
from inferometer.results.cells import Results
from inferometer.results.metrics import Metric, Place, metrics_in
from inferometer.results.pooling import hardware_name
from inferometer.units import significant


def machines(results: Results) -> list[Finding]:
    """Compare newer with older GPUs over the cells both have: geometric means and how often each is ahead."""
    dated = [(year, m) for m in results.machines if (year := _year(results, m))]
    found = []
    for index, (year, newer) in enumerate(sorted(dated, reverse=True)):
        for older_year, older in sorted(dated, reverse=True)[index + 1 :]:
            if older_year != year:
                text = _against(results, newer, older)
                if text:
                    found.append(
                        Finding("machines", f"{newer} ({year}) against {older} ({older_year}): {text}.")
                    )
    return found


def _year(results: Results, machine: str) -> int | None:
    """Return the year of the GPU that did the work; None where none did, whatever GPUs the host has."""
    devices = {s.cell.device for s in results.summaries if s.machine == machine} - {"cpu"}
    names = (machine, *(hardware_name(results.machines[machine], device) for device in sorted(devices)))
    return next((year for name in names if devices and (year := launch_year(name))), None)


def _against(results: Results, newer: str, older: str) -> str:
    parts = []
    for metric in metrics_in(Place.MACHINES):
        ratios = _ratios(results, newer, older, metric)
        if ratios:
            mean = math.exp(float(np.mean(np.log(ratios))))
            ahead = sum(metric.better(r, 1.0) for r in ratios)
            parts.append(
                f"{significant(mean, 3)} x the {metric.noun} (better in {ahead} of {len(ratios)} common cells)"
            )
    return ", ".join(parts)


def _ratios(results: Results, newer: str, older: str, metric: Metric) -> list[float]:
    values: dict[tuple[str, str, str, int], dict[str, float]] = defaultdict(dict)
    for s in results.summaries:
        estimate = metric.of(s) if s.measured else None
        if estimate:
            values[s.model, s.cell.mode, s.row, s.cell.batch_size][s.machine] = estimate.value
    return [found[newer] / found[older] for found in values.values() if newer in found and older in found]
