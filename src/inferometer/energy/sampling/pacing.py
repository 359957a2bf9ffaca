"""How often meters are looked at, and what that may cost: regions want every update, a run's loops of seconds a few."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pacing:
    """Seconds between two looks at a meter, where its period and the cost of its reads allow."""

    pace_s: float = 0.1
    seldom_s: float | None = None  # at an integrating counter that is updated seldom; None: ``pace_s``
    watched_s: float | None = (
        None  # at a fast counter whose bounds rest on how soon it is read again; None: ``pace_s``
    )
    cpu_share: float = 0.01  # of the whole machine's processors, for all meters together
    least_cpus: float = 0.05  # processors that may be used all the same, where the machine has few

    def cpus(self, processors: int) -> float:
        """Return how many processors all reads together may keep busy on a machine that has ``processors``."""
        return max(self.cpu_share * processors, self.least_cpus)


REGIONS = Pacing(watched_s=0.02)
STEADY = Pacing(seldom_s=0.3, cpu_share=0.0012, least_cpus=0.0)
