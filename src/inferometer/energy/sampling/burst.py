"""How often a counter is updated, from a short burst of reads. Pure."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass, field

from inferometer.energy.readings import Reading

BURST_S = 0.05
LONGEST_BURST_S = 0.15  # where some updates were seen, but too few to tell a period
BURST_PAUSE_NS = 200_000  # between two looks at all meters
_UPDATES = 4  # that must be seen to tell a period: three of them


@dataclass
class Burst:
    """Readings as they come, of which those with a new value are kept."""

    reads: int = 0
    _latest: Reading | None = None
    _news: list[tuple[int, int]] = field(
        default_factory=list
    )  # an update each: it happened between two moments

    def add(self, reading: Reading) -> None:
        """Take the next reading."""
        self.reads += 1
        if self._latest is not None and reading.value != self._latest.value:
            self._news.append((self._latest.t_before_ns, reading.t_after_ns))
        self._latest = reading

    @property
    def period_s(self) -> float | None:
        """Return the update period, None where too few updates were seen.

        The upper quartile of those seen, so that a late one is none too late; twice that where every read was news, since an
        update may then have come just before one read and just before the next.
        """
        if len(self._news) < _UPDATES:
            return None
        middles = [(low + high) / 2e9 for low, high in self._news]
        periods = [later - earlier for earlier, later in itertools.pairwise(middles)]
        quartile = statistics.quantiles(periods, n=4, method="inclusive")[2]
        return 2 * quartile if self.every_read_is_news else quartile

    @property
    def promising(self) -> bool:
        """Tell whether updates were seen, but too few of them: a few more reads tell the period."""
        return 0 < len(self._news) < _UPDATES

    @property
    def every_read_is_news(self) -> bool:
        """Tell whether no two reads in a row gave the same value."""
        return self.reads > 1 and len(self._news) == self.reads - 1
