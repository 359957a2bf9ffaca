"""Work that keeps step with a meter's updates, and the pauses that spread its phases. Pure; the parent uses it too.

A meter that looks at a part of the time, once an update, sees the same part of every piece of work if the pieces take
about the update period, a whole part of it or a multiple: its joules are then those of that part, however long it
looks. Phases are told in rounds of a circle: the update period, or the whole part of it that a piece of work takes.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inferometer.worker.flags import Flag, flag

MOST_RATIO = 50.0  # of the longer to the shorter of piece and period; beyond it jitter spreads the phases
ALIASING_LIMIT = 0.1  # concentration of phases from which on one part is seen too often
MOST_TRIALS = 12
LEAST_TRIALS = 3


@dataclass(frozen=True)
class Aliasing:
    """Pieces of work of ``piece_s`` each, against updates every ``period_s``."""

    piece_s: float
    period_s: float

    @property
    def circle_s(self) -> float:
        """Return the time (s) after which a phase comes again."""
        return self.period_s / max(round(self.period_s / self.piece_s), 1)

    @property
    def drift(self) -> float:
        """Return by how many rounds each piece moves the phase (-0.5 to 0.5)."""
        rounds = self.piece_s / self.circle_s
        return rounds - round(rounds)

    def concentration(self, spans: Iterable[tuple[float, float]]) -> float:
        """Return how much one phase prevails over spans (start, length; s) of back-to-back pieces: 0 not at all, 1 alone.

        The mean resultant length of the phases at which the pieces begin (Mardia and Jupp, Directional Statistics, 2.3).
        """
        total, seconds = 0j, 0.0
        for start_s, length_s in spans:
            pieces = max(length_s / self.piece_s, 1.0)
            middle = start_s / self.circle_s + (pieces - 1) / 2 * self.drift
            total += length_s * _resultant(pieces, self.drift) * cmath.exp(2j * math.pi * middle)
            seconds += length_s
        return abs(total) / seconds if seconds else 0.0

    def expected_concentration(self, loop_s: float, loops: int) -> float:
        """Return the concentration of so many loops back to back."""
        rounds = loop_s / self.circle_s
        within = _resultant(max(loop_s / self.piece_s, 1.0), self.drift)
        return abs(within * _resultant(loops, rounds - round(rounds)))


def _resultant(count: float, step: float) -> float:
    """Return the mean of unit vectors at ``count`` phases, ``step`` rounds apart, seen from the middle one."""
    sine = math.sin(math.pi * step)
    return math.sin(math.pi * count * step) / (count * sine) if abs(sine) > 1e-12 else 1.0


def find_aliasing(loop_s: float, batches: float, periods_s: Iterable[float]) -> list[Aliasing]:
    """Return what can alias: a loop of so many batches, and each batch, against each meter's updates."""
    pieces = sorted({loop_s, loop_s / max(batches, 1.0)})
    pairs = [(piece, period) for period in periods_s for piece in pieces]
    return [Aliasing(*pair) for pair in pairs if min(pair) > 0 and max(pair) < MOST_RATIO * min(pair)]


def plan_trials(found: Iterable[Aliasing], loop_s: float, loops: int) -> tuple[Aliasing, int] | None:
    """Return over whose circle the starts of how many trials are to be spread; None: nothing keeps step, or too few loops.

    That is the widest circle that keeps step. The trials have no divisor in common with the number of times that a
    narrower one goes into it, so that they are as many phases of the narrower one, too.
    """
    aliased = [
        aliasing for aliasing in found if aliasing.expected_concentration(loop_s, loops) > ALIASING_LIMIT
    ]
    for aliasing in sorted(aliased, key=lambda aliasing: -aliasing.circle_s):
        times = [
            round(aliasing.circle_s / other.circle_s)
            for other in aliased
            if other.circle_s < aliasing.circle_s
        ]
        counts = range(LEAST_TRIALS, min(MOST_TRIALS, loops) + 1)
        able = [trials for trials in counts if all(math.gcd(trials, count) == 1 for count in times)]
        if able:
            return aliasing, min(able, key=lambda trials: _unevenness(trials, loops))
    return None


def _unevenness(trials: int, loops: int) -> float:
    """Return how far so many trials of ``loops`` loops miss an even spread: by loops left over, and by being few."""
    over = loops % trials
    return min(over, trials - over) / loops + 0.5 / trials**2


class PhaseShift:
    """Says how long to pause between loops, so that they start at evenly spread phases of a meter's updates."""

    def __init__(
        self, periods_s: Sequence[float], batches: float, expected_loops: Callable[[float], int]
    ) -> None:
        """``batches``: in a loop; ``expected_loops``: how many there will be, from the seconds of one."""
        self._periods_s = periods_s
        self._batches = batches
        self._expected_loops = expected_loops
        self._first_ns = 0
        self._count = 0
        self._elapsed_s = 0.0
        self._look_s = 0.0  # of loops, after which a trial may be over
        self._trial = 0
        self._pauses = 0
        self._plan: tuple[Aliasing, int] | None = None

    def pause_s(self, start_ns: int, end_ns: int) -> float:
        """Count a loop; return how long to pause (s) before the next one."""
        if not self._periods_s:
            return 0.0
        self._first_ns = self._first_ns or start_ns
        self._count += 1
        self._elapsed_s += (end_ns - start_ns) / 1e9
        if self._elapsed_s < self._look_s:
            return 0.0
        return self._next_trial((end_ns - self._first_ns) / 1e9)

    def _next_trial(self, since_s: float) -> float:
        loop_s = self._elapsed_s / self._count
        loops = max(self._expected_loops(loop_s), 1)
        if self._plan is None and self._count * MOST_TRIALS >= loops:  # by now a loop's time is known well
            self._plan = plan_trials(find_aliasing(loop_s, self._batches, self._periods_s), loop_s, loops)
        if self._plan is None:
            self._look_s = self._elapsed_s + (loops / MOST_TRIALS - 0.5) * loop_s
            return 0.0
        aliasing, trials = self._plan
        trial = self._count * trials // loops
        self._look_s = ((trial + 1) / trials * loops - 0.5) * loop_s
        if trial == self._trial or trial >= trials:
            return 0.0
        self._trial, self._pauses = trial, self._pauses + 1
        return (trial / trials * aliasing.circle_s - since_s) % aliasing.circle_s

    def flags(self) -> list[Flag]:
        """Return what a reader of the loops must know."""
        if self._plan is None or not self._pauses:
            return []
        return [
            flag("phase-shifted", scope="energy", trials=self._pauses + 1, period_s=self._plan[0].period_s)
        ]
