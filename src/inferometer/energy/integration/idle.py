"""Stretches of a run in which nothing was measured, and what a device draws in them."""

from __future__ import annotations

from collections.abc import Callable

from inferometer.energy.integration.joules import Joules


class IdleStretches:
    """The marked stretches; mean power is reckoned once a device and stretch, since a run asks for it at every cell."""

    def __init__(self, steady: Callable[[str, int, int], Joules]) -> None:
        """``steady``: a device's energy between two moments (uid, start, end; ns)."""
        self._steady = steady
        self._marked: dict[str, tuple[int, int]] = {}
        self._known: dict[tuple[str, int, int], float] = {}

    def part(self, steady: Callable[[str, int, int], Joules]) -> IdleStretches:
        """Return the stretches so far, to which others are added than to these."""
        part = IdleStretches(steady)
        part._marked = dict(self._marked)
        return part

    def mark(self, start_ns: int, end_ns: int, label: str) -> None:
        """Add a stretch; a later one of the same label takes its place."""
        if end_ns > start_ns:
            self._marked[label] = (start_ns, end_ns)

    def power_w(self, uid: str) -> dict[str, float]:
        """Return a device's mean power (W) in the latest stretch of each label, as far as it is known."""
        found = {label: self._mean_w(uid, *stretch) for label, stretch in self._marked.items()}
        return {label: watts for label, watts in found.items() if watts is not None}

    def _mean_w(self, uid: str, start_ns: int, end_ns: int) -> float | None:
        key = (uid, start_ns, end_ns)
        if key not in self._known:
            joules = self._steady(uid, start_ns, end_ns)
            if joules.energy_j is None or joules.width:
                return None
            self._known[key] = joules.energy_j / ((end_ns - start_ns) / 1e9)
        return self._known[key]
