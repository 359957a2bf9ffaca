"""What a search for meters answers: those to be had, and why others are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inferometer.energy.readings import Meter


@dataclass(frozen=True)
class Absence:
    """A meter that cannot be used: which kind, for which type of device, why, and the remedy."""

    meter: str
    type: str
    reason: str
    remedy: str = ""
    device: str = ""

    @property
    def line(self) -> str:
        """Return it as one line."""
        subject = f"{self.meter} {self.device}".strip()
        return f"{subject}: {self.reason}" + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True)
class Found:
    """Usable meters and the absent ones; ``quiet``: those that few machines have, told only to who asks for them by name."""

    meters: tuple[Meter, ...] = ()
    absences: tuple[Absence, ...] = ()
    quiet: tuple[Absence, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(self.meters + other.meters, self.absences + other.absences, self.quiet + other.quiet)


Finder = Callable[[Mapping[str, str]], Found]
