"""The quantities that metrics are of: the unit stored, the sizes of it that people read, and how one value is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferometer import units
from inferometer.results.estimates import Estimate
from inferometer.units import significant


@dataclass(frozen=True)
class Scale:
    """The one unit that the numbers of a table or figure are shown in."""

    factor: float  # how many of the stored unit it is
    unit: str
    digits: int = 4

    def show(self, value: float) -> str:
        """Return the number alone."""
        return significant(value / self.factor, self.digits)

    def ends(self, estimate: Estimate) -> tuple[float, float | None, float | None]:
        """Return an estimate's value and the ends of its interval in this unit."""
        low, high = (None if end is None else end / self.factor for end in (estimate.low, estimate.high))
        return estimate.value / self.factor, low, high


@dataclass(frozen=True)
class Quantity:
    """A stored unit, and how its values are shown."""

    unit: str  # SI, as stored and exported
    show: Callable[
        [float], str
    ]  # for people; with a unit of suitable size, or bare where `unit` is the only one
    scales: tuple[Scale, ...] = ()  # the largest unit first; none where `unit` is the only one

    def scale_for(self, values: Sequence[float]) -> Scale:
        """Return the unit in which the middle value reads best; the same for a whole table."""
        if not self.scales:
            return Scale(1.0, self.unit)
        positive = sorted(v for v in values if v > 0)
        middle = positive[len(positive) // 2] if positive else self.scales[0].factor
        return next((scale for scale in self.scales if middle >= scale.factor), self.scales[-1])


MILLISECONDS = Scale(1e-3, "ms")
MILLIJOULES = Scale(1e-3, "mJ")
MICROJOULE_SECONDS = Scale(1e-6, "µJ s")
GIBIBYTES = Scale(2.0**30, "GiB")


def _number(value: float) -> str:
    return significant(value, 4)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _joules(value: float) -> str:
    return f"{significant(value, 3)} J" if abs(value) >= 1 else f"{significant(1e3 * value, 3)} mJ"


def _joule_seconds(value: float) -> str:
    return f"{significant(1e6 * value, 3)} µJ s"


IMAGES_PER_SECOND = Quantity("images/s", _number)
SECONDS = Quantity("s", units.duration, (Scale(1.0, "s"), MILLISECONDS, Scale(1e-6, "µs")))
WATTS = Quantity("W", _number)
JOULES = Quantity("J", _joules, (Scale(1.0, "J"), MILLIJOULES, Scale(1e-6, "µJ")))
JOULE_SECONDS = Quantity(
    "J s",
    _joule_seconds,
    (Scale(1.0, "J s"), Scale(1e-3, "mJ s"), MICROJOULE_SECONDS, Scale(1e-9, "nJ s")),
)
IMAGES_PER_JOULE = Quantity("images/J", _number)
IMAGES_PER_SECOND_AND_WATT = Quantity("images/s/W", _number)
BYTES = Quantity("bytes", units.size, (GIBIBYTES, Scale(2.0**20, "MiB"), Scale(2.0**10, "KiB")))
NUMBER = Quantity("1", _number)
SHARE = Quantity("share", _percent, (Scale(0.01, "%"),))
