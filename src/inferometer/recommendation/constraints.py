"""What a deployment allows, and how far an option is from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from inferometer.recommendation.objectives import Objective
from inferometer.recommendation.options import Option, score
from inferometer.results.cells import CellSummary
from inferometer.results.estimates.untimed import BY_FRAMEWORK
from inferometer.results.metrics import ACCURACY, LOSS


@dataclass(frozen=True)
class Constraints:
    """What a deployment allows; None: anything."""

    max_latency_s: float | None = None  # of a batch, p99 where known
    max_power_w: float | None = None
    max_energy_j: float | None = None  # an image
    max_memory_bytes: float | None = None
    min_agreement: float | None = (
        None  # share of inputs with the reference's top class, by Wilson's lower bound
    )
    batch_sizes: tuple[int, ...] = ()
    max_accuracy_loss: float | None = None  # against fp32 on the user's own data, by the interval's upper end
    min_accuracy: float | None = None  # top-1 on the user's own data, by Wilson's lower bound
    max_cost: float | None = None  # of a million images
    frameworks: tuple[str, ...] = ()  # of those alone
    min_throughput: float | None = None  # images/s


ANYTHING = Constraints()


class _Limit(NamedTuple):
    """A constraint that was given, and whether a cell breaks it."""

    name: str
    exactly: str  # with the cell's own figure
    violated: bool
    unknown: bool = False  # the cell has no such figure

    @classmethod
    def of_unknown(cls, name: str) -> _Limit:
        """Return the constraint of a figure that the cell does not have, which breaks it."""
        return cls(name, name, violated=True, unknown=True)


def _limits(found: Option, constraints: Constraints) -> list[_Limit]:
    """Return every constraint that was given."""
    summary = found.summary
    limits: list[_Limit] = []

    def upper(name: str, value: float | None, limit: float | None, scale: float, unit: str) -> None:
        if limit is not None and value is None:
            limits.append(_Limit.of_unknown(f"{name} not known"))
        elif limit is not None and value is not None:
            exactly = f"{name} {value / scale:.4g} {unit}, limit {limit / scale:.4g} {unit}"
            limits.append(_Limit(f"{name} above {limit / scale:.4g} {unit}", exactly, value > limit))

    upper(f"latency ({found.to_limit_kind})", found.latency_to_limit_s, constraints.max_latency_s, 1e-3, "ms")
    upper("power", found.power_w, constraints.max_power_w, 1.0, "W")
    upper("energy", found.energy_j, constraints.max_energy_j, 1e-3, "mJ an image")
    peak = peak_bytes(summary)
    whose = "memory by the driver" if peak is None and summary.memory else "memory"
    upper(whose, peak, constraints.max_memory_bytes, 1e9, "GB")
    upper("cost of a million images", found.cost, constraints.max_cost, 1.0, found.currency)
    if constraints.min_throughput is not None:
        limits.append(_throughput_limit(found, constraints.min_throughput))
    if constraints.min_agreement is not None:
        limits.append(_agreement_limit(summary, constraints.min_agreement))
    if constraints.max_accuracy_loss is not None:
        limits.append(_loss_limit(summary, constraints.max_accuracy_loss))
    if constraints.min_accuracy is not None:
        limits.append(_accuracy_limit(summary, constraints.min_accuracy))
    if constraints.batch_sizes and summary.cell.batch_size not in constraints.batch_sizes:
        asked = _only("batch size", "batch sizes", constraints.batch_sizes)
        limits.append(_Limit("another batch size", asked, violated=True))
    if constraints.frameworks and summary.cell.framework not in constraints.frameworks:
        asked = _only("framework", "frameworks", constraints.frameworks)
        limits.append(_Limit("another framework", asked, violated=True))
    return limits


def lacking(found: Option, objective: Objective) -> str:
    """Return why an option has no figure of the objective, which is no limit that it breaks; "" where it has one."""
    if objective == "latency" and found.latency_to_limit_s is None:
        return "latency (p99) not known"
    if objective in ("energy", "carbon") and found.energy_j is None:
        return "energy not known"
    if objective == "cost" and found.cost is None:
        return "energy not known" if found.priced_by_hour else "energy not known, and no --price-per-hour"
    return ""


def _only(one: str, several: str, asked: Sequence[object]) -> str:
    word = one if len(asked) == 1 else several
    return f"asked for {word} {', '.join(map(str, asked))} only"


def _throughput_limit(found: Option, least: float) -> _Limit:
    exactly = f"throughput {found.throughput:.4g} images/s, limit {least:.4g} images/s"
    return _Limit(f"throughput below {least:.4g} images/s", exactly, found.throughput < least)


def peak_bytes(summary: CellSummary) -> float | None:
    """Return the largest peak of any round: a limit must hold for all of them, and for more than a framework tells of itself."""
    found = summary.memory
    return None if found is None or found.source == BY_FRAMEWORK else found.upper or found.value


def _agreement_limit(summary: CellSummary, least: float) -> _Limit:
    """Return the limit on agreement: what so few inputs leave possible must not be below it."""
    if summary.agreement is None:
        applies = not (summary.parity and summary.parity.agreement)
        return _Limit.of_unknown(
            "agreement not known" if applies else "agreement does not apply: outputs are no class scores"
        )
    value, low = summary.agreement.value, summary.agreement.low
    surely = value if low is None else low
    told = "" if low is None else f" (at least {100 * low:.4g} %: {summary.agreement.source})"
    exactly = f"agreement {100 * value:.6g} %{told}, limit {100 * least:.6g} %"
    return _Limit(f"agreement below {100 * least:.6g} %", exactly, surely < least)


def _loss_limit(summary: CellSummary, most: float) -> _Limit:
    """Return the limit on what is lost against fp32: what so few images leave possible must not be above it."""
    loss = LOSS.of(summary)
    if loss is None:
        word, reason = LOSS.why_none(summary)
        return _Limit.of_unknown(f"accuracy loss not known ({reason or word})")
    low, high = loss.value if loss.low is None else loss.low, loss.value if loss.high is None else loss.high
    asked = f"{100 * most:.6g} %"
    name = f"accuracy loss above {asked}" if low > most else f"accuracy not shown equal within {asked}"
    exactly = (
        f"accuracy loss {100 * loss.value:.3g} % (at most {100 * high:.3g} %: {loss.source}), limit {asked}"
    )
    return _Limit(name, exactly, high > most)


def _accuracy_limit(summary: CellSummary, least: float) -> _Limit:
    """Return the limit on the accuracy: what so few images leave possible must not be below it."""
    found = ACCURACY.of(summary)
    if found is None:
        word, reason = ACCURACY.why_none(summary)
        return _Limit.of_unknown(f"accuracy not known ({reason or word})")
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    asked = f"{100 * least:.6g} %"
    name = f"accuracy below {asked}" if high < least else f"accuracy not shown to reach {asked}"
    exactly = (
        f"accuracy {100 * found.value:.3g} % (at least {100 * low:.3g} %: {found.source}), limit {asked}"
    )
    return _Limit(name, exactly, low < least)


def violations(found: Option, constraints: Constraints) -> list[str]:
    """Return the constraints that an option breaks; a figure that is not known breaks its constraint."""
    return [limit.name for limit in _limits(found, constraints) if limit.violated]


def broken_limits(found: Option, constraints: Constraints) -> list[str]:
    """Return the constraints that an option breaks, with its figure and the limit."""
    return [limit.exactly for limit in _limits(found, constraints) if limit.violated]


def excess(found: Option, constraints: Constraints, objective: Objective) -> tuple[float, ...]:
    """Return how far an option is from meeting the constraints (unknown figures first, then the size), then how good it is."""
    unknown = sum(limit.unknown for limit in _limits(found, constraints)) + bool(lacking(found, objective))
    pairs = (
        (found.latency_to_limit_s, constraints.max_latency_s),
        (found.power_w, constraints.max_power_w),
        (found.energy_j, constraints.max_energy_j),
        (peak_bytes(found.summary), constraints.max_memory_bytes),
        (found.cost, constraints.max_cost),
        (constraints.min_throughput, found.throughput),
    )
    over = sum(max(0.0, math.log(value / limit)) for value, limit in pairs if value and limit)
    size = found.summary.cell.batch_size
    other_size = min((abs(math.log(size / asked)) for asked in constraints.batch_sizes), default=0.0)
    return unknown, other_size, over, -score(found, objective), -found.throughput
