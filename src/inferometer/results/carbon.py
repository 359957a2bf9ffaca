"""Grams of CO2-equivalent by the formula of ISO/IEC 21031 (Software Carbon Intensity): ((E x I) + M) per R (pure).

E: energy (kWh), here times the data centre's PUE; I: carbon intensity of the electricity (g/kWh); M: embodied emissions (g), the
share of the hardware's making that the work's time takes: total x time / life x share of the machine; R: the functional unit.
Nothing here has a default: whoever states carbon says where each factor comes from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from inferometer.errors import UsageError

FORMULA = "((E x I) + M) per R"
JOULES_A_KWH = 3.6e6
SECONDS_A_YEAR = 365.25 * 86400
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True)
class Factor:
    """A number that the user gives, who told it, and the date that it is of (YYYY, YYYY-MM or YYYY-MM-DD)."""

    value: float
    source: str
    date: str

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise UsageError(f"{self.value:g} needs a source: say who published it")
        if not _is_date(self.date):
            raise UsageError(
                f"'{self.date}' is no date: give YYYY, YYYY-MM or YYYY-MM-DD, of the figure itself"
            )


@dataclass(frozen=True)
class Embodied:
    """Emissions of making the hardware, the years that it is used, and the share of it that the work has to itself."""

    total_kg: Factor
    life_years: float
    share: float

    def __post_init__(self) -> None:
        _check("embodied emissions", self.total_kg.value, "kg CO2e, at least 0", lambda v: v >= 0)
        _check("the hardware's life", self.life_years, "years above 0", lambda v: v > 0)
        _check("the share of the hardware", self.share, "a share above 0 and at most 1", lambda v: 0 < v <= 1)

    @property
    def grams_a_second(self) -> float:
        """Return what each second of work takes of them."""
        return self.total_kg.value * 1e3 * self.share / (self.life_years * SECONDS_A_YEAR)


@dataclass(frozen=True)
class CarbonFactors:
    """All that turns joules into grams of CO2e."""

    intensity: Factor  # g/kWh
    pue: Factor  # power usage effectiveness: the facility's energy over that of its machines
    embodied: Embodied | None = None  # None: M is left out, and said to be

    def __post_init__(self) -> None:
        _check("the intensity", self.intensity.value, "grams of CO2e a kWh, at least 0", lambda v: v >= 0)
        _check(
            "the PUE",
            self.pue.value,
            "at least 1 (1 where no facility is around the machine)",
            lambda v: v >= 1,
        )

    def operational_g(self, energy_j: float) -> float:
        """Return E x I of so many joules at the device, the PUE included."""
        return energy_j / JOULES_A_KWH * self.pue.value * self.intensity.value

    def embodied_g(self, seconds: float) -> float:
        """Return M of so many seconds of work; 0 where it was not given."""
        return seconds * self.embodied.grams_a_second if self.embodied else 0.0


def _check(name: str, value: float, wanted: str, allowed: Callable[[float], bool]) -> None:
    if not (math.isfinite(value) and allowed(value)):
        raise UsageError(f"{name} is {value:g}: give {wanted}")


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True
