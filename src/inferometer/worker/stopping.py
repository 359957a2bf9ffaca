"""When a cell has been looped often enough."""

from __future__ import annotations

import math


class StoppingRule:
    """At least ``loops`` loops and ``window_s`` seconds (for the energy meter), but no more than ``budget_s`` seconds.

    The budget (0: none) never cuts below ``least`` loops, or below ``loops`` where fewer are asked for.
    """

    def __init__(self, loops: int, window_s: float = 0.0, budget_s: float = 0.0, least: int = 3) -> None:
        self._loops = loops
        self._least = min(loops, least)
        self._window_s = window_s
        self._budget_s = budget_s
        self._count = 0
        self._elapsed_s = 0.0

    def add_loop(self, elapsed_s: float) -> None:
        """Count a loop that took ``elapsed_s`` seconds."""
        self._count += 1
        self._elapsed_s += elapsed_s

    def expected_loops(self, loop_s: float) -> int:
        """Return how many loops there will be if each takes so long."""
        loops = max(self._loops, math.ceil(self._window_s / loop_s)) if loop_s else self._loops
        if self._budget_s and loop_s:
            loops = min(loops, max(math.ceil(self._budget_s / loop_s), self._least))
        return loops

    def is_finished(self) -> bool:
        """Return whether no further loop is wanted."""
        if self._count < self._least:
            return False
        if self._budget_s and self._elapsed_s >= self._budget_s:
            return True
        return self._count >= self._loops and self._elapsed_s >= self._window_s
