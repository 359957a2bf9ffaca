"""What a deployment allows, and how far an option is from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inferometer.recommendation.objectives import Objective, batch_latency
from inferometer.recommendation.options import Option, score


@dataclass(frozen=True)
class Constraints:
    """What a deployment allows; None: anything."""

    max_latency_s: float | None = None  # of a batch, p99 where known
    max_power_w: float | None = None
    max_energy_j: float | None = None  # an image
    max_memory_bytes: float | None = None
    min_agreement: float | None = None  # share of images with the reference's top-1 class
    batch_sizes: tuple[int, ...] = ()


ANYTHING = Constraints()


def _limits(found: Option, constraints: Constraints, objective: Objective) -> list[tuple[str, str, bool]]:
    """Return (constraint, exact words, violated) of every constraint that was given."""
    summary, limits = found.summary, []

    def upper(name: str, value: float | None, limit: float | None, scale: float, unit: str) -> None:
        if limit is not None and value is None:
            limits.append((f"{name} not known", f"{name} not known", True))
        elif limit is not None and value is not None:
            words = f"{name} {value / scale:.4g} {unit}, limit {limit / scale:.4g} {unit}"
            limits.append((f"{name} above {limit / scale:.4g} {unit}", words, value > limit))

    few = " (p99 of few batches)" if batch_latency(summary)[0].remark else ""
    upper(f"latency{few}", found.latency_s, constraints.max_latency_s, 1e-3, "ms")
    upper("power", found.power_w, constraints.max_power_w, 1.0, "W")
    upper("energy", found.energy_j, constraints.max_energy_j, 1e-3, "mJ an image")
    upper("memory", summary.memory.value if summary.memory else None, constraints.max_memory_bytes, 1e9, "GB")
    if constraints.min_agreement is not None:
        agreement = summary.accuracy.value if summary.accuracy else None
        if agreement is None:
            limits.append(("agreement not known", "agreement not known", True))
        else:
            least = constraints.min_agreement
            words = f"agreement {100 * agreement:.6g} %, limit {100 * least:.6g} %"
            limits.append((f"agreement below {100 * least:.6g} %", words, agreement < least))
    if constraints.batch_sizes and summary.cell.batch_size not in constraints.batch_sizes:
        limits.append(("another batch size", f"batch size {summary.cell.batch_size}", True))
    if objective == "energy" and found.energy_j is None:
        limits.append(("energy not known", "energy not known", True))
    if objective == "cost" and found.cost is None:
        words = "energy not known, and no --price-per-hour"
        limits.append((words, words, True))
    return limits


def violations(found: Option, constraints: Constraints, objective: Objective = "throughput") -> list[str]:
    """Return the constraints that an option breaks; a figure that is not known breaks its constraint."""
    return [name for name, _, violated in _limits(found, constraints, objective) if violated]


def broken_limits(found: Option, constraints: Constraints, objective: Objective) -> list[str]:
    """Return the constraints that an option breaks, with its figure and the limit."""
    return [words for _, words, violated in _limits(found, constraints, objective) if violated]


def excess(found: Option, constraints: Constraints, objective: Objective) -> tuple[float, ...]:
    """Return how far an option is from meeting the constraints (unknown figures first, then the size), then how good it is."""
    unknown = sum("not known" in words for words in broken_limits(found, constraints, objective))
    pairs = (
        (found.latency_s, constraints.max_latency_s),
        (found.power_w, constraints.max_power_w),
        (found.energy_j, constraints.max_energy_j),
        (found.summary.memory.value if found.summary.memory else None, constraints.max_memory_bytes),
    )
    over = sum(max(0.0, math.log(value / limit)) for value, limit in pairs if value and limit)
    size = found.summary.cell.batch_size
    other_size = min((abs(math.log(size / asked)) for asked in constraints.batch_sizes), default=0.0)
    return unknown, other_size, over, -score(found, objective), -found.throughput
