"""The metrics a table, figure or verdict can show: name, unit, direction and how to read each from a summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Series
from inferometer.units import duration, significant, size


@dataclass(frozen=True)
class Metric:
    """One thing that is measured, so that no printer knows a metric by name."""

    name: str
    title: str
    unit: str  # SI, as stored and exported
    higher_is_better: bool
    of: Callable[[CellSummary], Estimate | None]
    series: Callable[[CellSummary], Series | None]  # logs, one a round, for telling two cells apart
    show: Callable[
        [float], str
    ]  # for people; with a unit of suitable size, or bare where `unit` is the only one
    exact: bool = False  # no noise: any difference is one
    competes: bool = True  # a row can be best at it

    @property
    def is_energy(self) -> bool:
        """Whether it comes from a meter."""
        return self.unit in ("W", "J", "J s", "images/J", "images/s/W")

    def better(self, first: float, second: float) -> bool:
        """Return whether ``first`` beats ``second``."""
        return first > second if self.higher_is_better else first < second


def _series(*terms: tuple[str, int]) -> Callable[[CellSummary], Series | None]:
    def combine(summary: CellSummary) -> Series | None:
        total: Series | None = None
        for name, sign in terms:
            part = summary.series.get(name)
            if part is None:
                return None
            total = part.scaled(sign) if total is None else total.plus(part.scaled(sign))
        return total

    return combine


def _none(summary: CellSummary) -> Series | None:
    return None


def _phase(name: str, title: str) -> Metric:
    """Return a phase of a batch; less of one is no merit, since each framework draws the line between phases elsewhere."""
    return Metric(name, title, "s", False, lambda s: s.phases.get(name), _none, duration, competes=False)


def why_no_phase(summary: CellSummary) -> str:
    """Return why a cell that ended well lacks a phase."""
    if summary.cell.mode == "host-pipelined":
        return "the phases of batches in a pipeline overlap"
    if summary.phases:
        return "nothing is copied in device mode"
    return "no phases were sampled: the framework's call does not tell them apart, or a batch took too long"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return significant(value, 4)


def _joules(value: float) -> str:
    return f"{significant(value, 3)} J" if abs(value) >= 1 else f"{significant(1e3 * value, 3)} mJ"


def _joule_seconds(value: float) -> str:
    return f"{significant(1e6 * value, 3)} µJ s"


def _watts(value: float) -> str:
    return significant(value, 4)


_ALL = (
    Metric(
        "throughput", "Throughput", "images/s", True,
        lambda s: s.throughput, _series(("throughput", 1)), _number,
    ),
    Metric(
        "throughput_study", "Throughput, mean of loop rates as in the study", "images/s", True,
        lambda s: s.throughput_study, _series(("throughput_study", 1)), _number,
    ),
    Metric(
        "latency", "Latency per image", "s", False,
        lambda s: s.latency_image, _series(("throughput", -1)), duration,
    ),
    Metric("latency_batch", "Latency per batch", "s", False, lambda s: s.latency_batch, _series(("latency_batch", 1)), duration),
    Metric("p50", "Latency per batch, median", "s", False, lambda s: s.p50, _series(("p50", 1)), duration),
    Metric("p90", "Latency per batch, 90th percentile", "s", False, lambda s: s.p90, _series(("p90", 1)), duration),
    Metric("p99", "Latency per batch, 99th percentile", "s", False, lambda s: s.p99, _series(("p99", 1)), duration),
    Metric("power", "Power", "W", False, lambda s: s.power, _series(("power", 1)), _watts),
    Metric("energy", "Energy per image", "J", False, lambda s: s.energy_image, _series(("energy_image", 1)), _joules),
    Metric("idle_power", "Power at rest", "W", False, lambda s: s.idle_power, _series(("idle_power", 1)), _watts),
    Metric(
        "energy_net", "Energy per image, net of rest", "J", False,
        lambda s: s.energy_net, _series(("energy_net", 1)), _joules,
    ),
    Metric(
        "energy_time", "Energy x time per image", "J s", False,
        lambda s: s.energy_time, _series(("energy_image", 1), ("throughput", -1)), _joule_seconds,
    ),
    Metric(
        "images_per_joule", "Images per joule", "images/J", True,
        lambda s: s.images_per_joule, _series(("energy_image", -1)), _number,
    ),
    Metric(
        "images_per_watt", "Throughput per watt", "images/s/W", True,
        lambda s: s.images_per_watt, _series(("throughput", 1), ("power", -1)), _number,
    ),
    Metric("memory", "Peak memory", "bytes", False, lambda s: s.memory, _series(("memory", 1)), size),
    Metric(
        "prepare_time", "Time to ready", "s", False,
        lambda s: s.prepare.total if s.prepare else None, _series(("prepare", 1)), duration,
    ),
    Metric("accuracy", "Top-1 agreement with the reference", "share", True, lambda s: s.accuracy, _none, _percent, exact=True),
    _phase("copy_in", "Copy in per batch"),
    _phase("enqueue", "Enqueue per batch, part of compute"),
    _phase("compute", "Compute per batch"),
    _phase("copy_out", "Copy out per batch"),
)  # fmt: skip

FORMER_NAMES = {"throughput_total": "throughput"}  # what is the headline now
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
PHASES = tuple(metric.name for metric in _ALL if not metric.competes)  # keys of `CellSummary.phases`
