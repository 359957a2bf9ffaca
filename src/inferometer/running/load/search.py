"""The highest rate that is VALID, in few tests: widen until it lies between two, then halve in the logarithm."""

from __future__ import annotations

import math

from inferometer.planning.load_request import MOST_TESTS

_WIDEST = 4.0
_CLOSE = 1.02  # a valid and an invalid rate so near each other end the search


class RateSearch:
    """Says which rate (requests/s) to try next, from the verdicts so far."""

    def __init__(self, first: float, step: float = 1.25, least: float = 0.0, most: int = MOST_TESTS) -> None:
        """``first``: an expected rate; ``step``: the factor of the first step away from it.

        ``least``: the lowest rate that a test can judge.
        """
        self._first, self._step, self._least, self._most = max(first, least), step, least, most
        self.tried: list[tuple[float, bool]] = []

    @property
    def best(self) -> float | None:
        """Return the highest rate that was valid."""
        return max((rate for rate, valid in self.tried if valid), default=None)

    @property
    def _lowest_invalid(self) -> float | None:
        """Return the lowest invalid rate above the best: one below it was bad luck."""
        best = self.best or 0.0
        return min((rate for rate, valid in self.tried if not valid and rate > best), default=None)

    def add(self, rate: float, valid: bool) -> None:
        """Note a verdict."""
        self.tried.append((rate, valid))

    def next_rate(self) -> float | None:
        """Return the rate to try, None once the search is over."""
        if not self.tried:
            return self._first
        low, high = self.best, self._lowest_invalid
        if len(self.tried) >= self._most or (low and high and high / low <= _CLOSE):
            return None
        if low and high:
            return math.sqrt(low * high)
        factor = min(
            math.pow(self._step, 2 ** (len(self.tried) - 1)), _WIDEST
        )  # steps double in the logarithm
        if low:
            return low * factor
        lowest = high or self._first
        return None if lowest <= self._least else max(lowest / factor, self._least)
