"""The visits of one region by one thread, and what is already reckoned of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from inferometer.energy.integration.visits import VisitsEnergy

JOINED_GAP_NS = 1_000_000
SETTLE_AT = 4096  # visits kept before they are summed up
SETTLED_AFTER_NS = 10_000_000_000  # by then every meter's updates have enclosed a visit

Stretch = tuple[int, int, int]  # start, end, and how much of it visits cover (ns)


@dataclass
class Total:
    """What one thread did within one region so far."""

    name: str
    thread: int
    visits: int = 0  # that have ended
    time_ns: int = 0  # of all visits, those that overlap counted each
    last_ns: int = 0  # the latest end of a visit
    forks: int = 0  # of this process, during visits
    limit: int = SETTLE_AT  # so many fresh ones are summed up: `take_old`
    open: dict[int, int] = field(default_factory=dict)  # visits under way: when each began
    fresh: list[tuple[int, int]] = field(
        default_factory=list
    )  # visits that have ended and are not counted yet
    pending: list[Stretch] = field(default_factory=list)
    settled: dict[str, list[VisitsEnergy]] = field(default_factory=dict)  # by device
    settled_ns: int = 0  # covered by visits that are settled
    settling: bool = False

    def count(self) -> None:
        """Count the visits that have ended since."""
        fresh, self.fresh = self.fresh, []
        if fresh:
            self.visits += len(fresh)
            self.time_ns += sum(end - start for start, end in fresh)
            self.last_ns = max(self.last_ns, *(end for _, end in fresh))
            self.pending.extend((start, end, end - start) for start, end in fresh)

    def take_old(self, enclosed_ns: int) -> list[Stretch]:
        """Join what is kept, and return the visits to be summed up: they stay until `settle`.

        Old ones, of which none overlaps a younger one or one under way; none where they are few.
        """
        self.count()
        self.pending = join_visits(self.pending)
        self.limit = max(len(self.pending), SETTLE_AT - len(self.pending))
        young = [start for start, end, _ in self.pending if end >= enclosed_ns]
        first_ns = min([*young, *tuple(self.open.values()), enclosed_ns])
        old = [visit for visit in self.pending if visit[1] < first_ns]
        self.settling = len(old) >= SETTLE_AT // 2
        return old if self.settling else []

    def settle(self, old: list[Stretch], found: Mapping[str, VisitsEnergy]) -> None:
        """Put the visits' energies by device in their place."""
        taken = set(old)
        self.pending = [visit for visit in self.pending if visit not in taken]
        self.settled_ns += sum(covered for _, _, covered in old)
        for uid, energy in found.items():
            self.settled.setdefault(uid, []).append(energy)
        self.settling = False


class Visited(Protocol):
    """What regions belong to: a `Profile`."""

    def begin(self, name: str, key: Any = None) -> Visit:
        """Enter a region."""

    def end(self, visit: Visit) -> None:
        """Leave it."""


@dataclass(slots=True, eq=False)
class Visit:
    """A region being visited: give it to `Profile.end`, once."""

    total: Total
    start_ns: int
    profile: Visited
    ended: bool = False


def join_visits(visits: Iterable[Stretch]) -> list[Stretch]:
    """Return the visits in order, those joined that lie at most `JOINED_GAP_NS` apart or overlap (recursion, tasks)."""
    joined: list[Stretch] = []
    for start, end, covered in sorted(visits):
        if joined and start - joined[-1][1] <= JOINED_GAP_NS:
            first, last, before = joined[-1]
            overlap = max(last - start, 0)
            joined[-1] = (first, max(end, last), before + max(covered - overlap, 0))
        else:
            joined.append((start, end, covered))
    return joined
