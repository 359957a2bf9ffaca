"""Energy and carbon of every cell per functional unit, or why a cell has none (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.host.scheduler import job_words
from inferometer.results.carbon import CarbonFactors
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.estimates.energy import metered_rounds
from inferometer.statement.boundary import Boundary, Part, parts_of, total
from inferometer.units import duration

USUAL_UNIT = 1000  # inferences
MLPERF_LEAST_S = 60.0


@dataclass(frozen=True)
class Terms:
    """What is asked for."""

    factors: CarbonFactors
    unit: int = USUAL_UNIT  # inferences that the figures are of
    boundary: Boundary = "device"
    least_s: float = 0.0  # of metered work a round; MLPerf Power asks for 60 s


@dataclass(frozen=True)
class Line:
    """One cell, per functional unit; intervals are 95 %."""

    cell: CellSummary
    parts: tuple[Part, ...]
    metered_s: float  # the shortest round's metered work
    rounds: int  # that energy is known of
    energy: Estimate  # J
    operational: Estimate  # g CO2e: E x I
    embodied: Estimate | None  # g CO2e: M; None where it was not given
    carbon: Estimate  # g CO2e: both


@dataclass(frozen=True)
class Unstated:
    """A cell of which nothing is stated, and why."""

    cell: CellSummary
    reason: str
    figure: str = ""  # of this cell alone, where many share the reason


@dataclass(frozen=True)
class Scoped:
    """The cells of one machine, model and mode, the least carbon first."""

    machine: str
    model: str
    mode: str
    lines: tuple[Line, ...]
    unstated: tuple[Unstated, ...]
    absences: tuple[str, ...]  # meters that were not there, a line each
    jobs: tuple[str, ...] = ()  # of a batch system, that it was measured in


@dataclass(frozen=True)
class Statement:
    """Everything that is stated, and on which terms."""

    terms: Terms
    scopes: tuple[Scoped, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether no cell has a figure."""
        return not any(scope.lines for scope in self.scopes)


def state(results: Results, terms: Terms) -> Statement:
    """Return the statement of all cells in ``results``."""
    return Statement(
        terms, tuple(_scoped(results, key, cells, terms) for key, cells in results.scopes.items())
    )


def _scoped(
    results: Results, key: tuple[str, str, str], cells: Sequence[CellSummary], terms: Terms
) -> Scoped:
    found = [_line(cell, terms) for cell in cells]
    lines = sorted((f for f in found if isinstance(f, Line)), key=lambda line: line.carbon.value)
    paths = {path for cell in cells for path in cell.paths}
    absences = dict.fromkeys(
        f"{meter.get('meter', '')} {meter.get('device', '')}".strip() + f": {meter['reason']}"
        for run in results.runs
        if run.path in paths
        for meter in run.info.meters
        if meter.get("reason")
    )
    jobs = dict.fromkeys(job_words(job) for run in results.runs if run.path in paths for job in run.info.jobs)
    unstated = tuple(f for f in found if isinstance(f, Unstated))
    return Scoped(*key, tuple(lines), unstated, tuple(absences), tuple(jobs))


def _line(cell: CellSummary, terms: Terms) -> Line | Unstated:
    if not cell.measured:
        return Unstated(cell, f"{cell.status}: {cell.cause}" if cell.cause else cell.status)
    parts = parts_of(cell, terms.boundary)
    energy = total(parts)
    if energy is None or cell.energy_image is None:
        unknown = [p.words for p in parts if p.included and p.energy is None]
        why = (
            f"energy of {', '.join(unknown)} not known"
            if unknown and cell.energy_image
            else cell.energy_reason
        )
        return Unstated(cell, why or "its energy is not known")
    windows = [d.seconds for d in metered_rounds(cell.good).values()]
    if short := _too_short(cell, windows, terms.least_s):
        return short
    if terms.factors.embodied and cell.throughput is None:
        return Unstated(cell, "its throughput is not known, which the embodied emissions take")
    operational = energy.times(terms.factors.operational_g(1.0) * terms.unit, "g")
    embodied = _embodied(cell, terms)
    whole = operational.plus(embodied) if embodied else operational
    stated = energy.times(terms.unit, "J")
    return Line(cell, parts, min(windows, default=0.0), len(windows), stated, operational, embodied, whole)


def _too_short(cell: CellSummary, windows: Sequence[float], least_s: float) -> Unstated | None:
    """Return why a cell was not metered for long enough in every round; None if it was. ``windows``: seconds of the metered ones."""
    shortest, rounds = min(windows, default=0.0), len(cell.good)
    if least_s and 0 < len(windows) < rounds:
        asked = f"at least {least_s:g} s are asked for in every round"
        return Unstated(cell, f"metered in {len(windows)} of {rounds} rounds by {cell.meter}; {asked}")
    if shortest >= least_s:
        return None
    if not windows:
        told = "for how long it was metered is not known"
        return Unstated(cell, f"{told}; at least {least_s:g} s are asked for")
    remedy = f"measure with --energy-window {least_s:g}"
    return Unstated(cell, f"metered for less than {least_s:g} s; {remedy}", duration(shortest))


def _embodied(cell: CellSummary, terms: Terms) -> Estimate | None:
    if terms.factors.embodied is None or cell.throughput is None:
        return None
    return cell.throughput.inverse("s").times(terms.factors.embodied_g(1.0) * terms.unit, "g")
