"""Two models on the same images: on how many only one of them is right, and by how much the other is right less often."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from inferometer.quantiles import CONFIDENCE, t_quantile

_HALVINGS = 45


@dataclass(frozen=True)
class Paired:
    """Answers of a model beside those of its reference, image by image."""

    n: int
    lost: int  # images that only the reference gets right
    won: int  # images that only the model gets right

    def __post_init__(self) -> None:
        if min(self.lost, self.won) < 0 or self.n <= 0 or self.lost + self.won > self.n:
            raise ValueError(f"{self.lost} lost and {self.won} won of {self.n} are no counts of pairs")

    @property
    def loss(self) -> float:
        """Return by what share of all images the model is right less often; below 0: more often."""
        return (self.lost - self.won) / self.n

    @cached_property
    def p(self) -> float:
        """Return the exact two-sided p-value of McNemar's test: how the discordant images fall where neither is better."""
        from scipy.special import bdtr

        discordant = self.lost + self.won
        return min(1.0, 2 * float(bdtr(min(self.lost, self.won), discordant, 0.5)))

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of `loss`: Tango's score interval, widened to what the exact test does not rule out.

        Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample design
        (Statistics in Medicine 17, 1998). With few discordant images it may leave out 0 where the exact test does not, so
        it is joined with the exact interval of Clopper and Pearson (1934) for the discordant images' share.
        """
        pairs = [self._score_interval(), self._conditional_interval()]
        return min(low for low, _ in pairs), max(high for _, high in pairs)

    def _score_interval(self) -> tuple[float, float]:
        z = t_quantile(CONFIDENCE, math.inf)
        low = _root(lambda loss: self._score(loss) - z, -1.0, self.loss)
        return low, _root(lambda loss: self._score(loss) + z, self.loss, 1.0)

    def _score(self, loss: float) -> float:
        """Return the score statistic of a true ``loss``, which falls as it grows."""
        n, b, c = self.n, self.lost, self.won
        linear = -b - c + (2 * n - b + c) * loss
        constant = -c * loss * (1 - loss)
        won = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * won + loss * (1 - loss))
        distance = b - c - n * loss
        if variance <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(variance)

    def _conditional_interval(self) -> tuple[float, float]:
        from scipy.special import betaincinv

        b, c = self.lost, self.won
        if b + c == 0:
            return 0.0, 0.0
        low = 0.0 if b == 0 else float(betaincinv(b, c + 1, 0.025))
        high = 1.0 if c == 0 else float(betaincinv(b + 1, c, 0.975))
        return (2 * low - 1) * (b + c) / self.n, (2 * high - 1) * (b + c) / self.n


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function crosses 0 between two places."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
