"""What the page's frontier and its answers are drawn from: `recommendation.portable` with what each option looks like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inferometer.recommendation.objectives import USUAL_PRICES, Prices, batch_latency
from inferometer.recommendation.options import Option
from inferometer.recommendation.portable import portable
from inferometer.recommendation.render import figures
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.legend_symbols import dash_array, outline
from inferometer.report.figures.palette import SYMBOLS, Palette
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import ACCURACY

Data = dict[str, Any]
_Y_AXES = {
    "throughput": ("Throughput", "images/s", True),
    "per_joule": ("Images per joule", "images/J", True),
    "accuracy": ("Top-1 accuracy", "%", True),
}


def axes(prices: Prices) -> dict[str, tuple[str, str, bool]]:
    """Return what may stand upwards: name, then title, unit and whether more is better."""
    return {**_Y_AXES, "cost": ("Cost of a million images", prices.currency, False)}


def frontier_data(results: Results, palette: Palette, prices: Prices = USUAL_PRICES) -> list[Data]:
    """Return the groups of `portable`, each option with its name, its look and where it stands on every axis."""
    return portable(results, ("throughput",), lambda option: _drawn(option, palette), prices)


def symbols() -> dict[str, list[tuple[float, float]]]:
    """Return the corners of every marker by its name."""
    return {name: outline(name) for name in SYMBOLS}


def _drawn(found: Option, palette: Palette) -> Data:
    cell = found.summary
    label = framework_label(cell)
    style = palette.style(label, cell.cell.precision)
    latency, kind = batch_latency(cell)
    return {
        "name": found.name,
        "figures": figures(replace(found, cost=None)),
        "f": palette.index(label),
        "look": style.index,
        "p": cell.cell.precision,
        "symbol": style.symbol,
        "fill": style.fill,
        "dash": dash_array(style),
        "x": _ms(latency, found.latency_to_limit_s),
        "x_kind": kind,
        "y": _heights(cell, found),
    }


def _ms(latency: Estimate, limited_s: float | None) -> list[float | None]:
    """Return a latency in ms, its lower end, and what a limit is held against where that is more."""
    low = None if latency.low is None else 1e3 * latency.low
    return [1e3 * latency.value, low, 1e3 * max(latency.value, limited_s or 0.0)]


def _heights(cell: CellSummary, found: Option) -> dict[str, list[float | None]]:
    speed = cell.throughput
    assert speed
    heights = {"throughput": _ends(speed)}
    if found.energy_j and cell.energy_image:
        heights["per_joule"] = _inverse(cell.energy_image)
    if accuracy := ACCURACY.of(cell):
        heights["accuracy"] = [None if end is None else 100 * end for end in _ends(accuracy)]
    if found.cost is not None:
        heights["cost"] = [found.cost, None, None]
    return heights


def _ends(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high]


def _inverse(estimate: Estimate) -> list[float | None]:
    value, low, high = _ends(estimate)
    assert value
    return [1 / value, 1 / high if high else None, 1 / low if low else None]
