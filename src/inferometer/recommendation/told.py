"""Which options of a decision the data tell apart by energy and by latency, of those that may be left together: for the page.

Of many options only the pairs whose first can be the least under limits on figures are asked: where another is at least as good in all that
limits hold down, and no easier to leave out, it is there whenever the first is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inferometer.recommendation.options import Option
from inferometer.results.judging import Judge
from inferometer.results.stats import Floats


def leading(order: Sequence[int], figures: Floats, values: Mapping[int, float] | None = None) -> list[int]:
    """Return the options of an order, best first, of which none before keeps every limit that they keep.

    ``values``: by which they are ordered; one before must then be better, not as good.
    """
    places = np.asarray(order, dtype=np.intp)
    ordered = np.arange(len(places)) if values is None else np.array([values[i] for i in order])
    rows, found = figures[places], []
    left = np.ones(len(places), dtype=bool)
    for place in range(len(places)):
        if left[place]:
            found.append(int(places[place]))
            left &= ~((rows[place] <= rows).all(axis=1) & (ordered[place] < ordered))
    return found


class _Borne:
    """Among how many claims each pair that was asked for can be told apart, the better first."""

    def __init__(self, options: Sequence[Option], judge: Judge, *, near_counts: bool) -> None:
        known = [(i, option.summary) for i, option in enumerate(options) if judge.knows(option.summary)]
        self.values = {i: judge.value(cell) for i, cell in known}
        self._places = {i: place for place, (i, _) in enumerate(known)}
        self._among = judge.among([cell for _, cell in known])
        self._near_counts = near_counts
        self._found: dict[tuple[int, int], int] = {}

    def ranked(self, tie: Sequence[int]) -> list[int]:
        """Return the options that have the metric, the least first."""
        return sorted((i for i in tie if i in self.values), key=self.values.__getitem__)

    def ask(self, better: int, others: Sequence[int]) -> list[int]:
        """Return among how many claims one is told apart from each of others that are not better."""
        new = [other for other in others if (better, other) not in self._found]
        rivals = [self._places[other] for other in new]
        found = self._among.claims_borne(self._places[better], rivals, near_counts=self._near_counts)
        self._found.update(((better, other), claims) for other, claims in zip(new, found, strict=True))
        return [self._found[better, other] for other in others]

    def data(self) -> dict[str, int]:
        """Return the pairs that can be told apart, as the page has them."""
        by_pair = sorted(self._found.items(), key=lambda item: sorted(item[0]))
        return {f"{better},{other}": borne for (better, other), borne in by_pair if borne}


class Told:
    """What is asked of pairs of options when one of those as good as the best is chosen."""

    def __init__(self, options: Sequence[Option], energy: Judge, latency: Judge) -> None:
        self.energy = _Borne(options, energy, near_counts=False)
        self.latency = _Borne(options, latency, near_counts=True)

    def ask(self, tie: Sequence[int], figures: Floats | None) -> None:
        """Find out what the choice of one of ``tie`` may ask; of all pairs without ``figures``, a row an option, that limits hold down."""
        by_energy, by_latency = self.energy.ranked(tie), self.latency.ranked(tie)
        if figures is None:
            _all_pairs(self.energy, by_energy)
            _all_pairs(self.latency, by_latency)
            return
        place = {i: at for at, i in enumerate(by_energy)}
        claims = []
        for least in leading(by_energy, figures, self.energy.values):
            found = np.full(len(figures), -1.0)  # of those no more than it: they are never left out by it
            others = by_energy[place[least] + 1 :]
            found[others] = self.energy.ask(least, others)
            claims.append(found)
        easier = np.column_stack([figures, *claims]) if claims else figures
        place = {i: at for at, i in enumerate(by_latency)}
        for least in leading(by_latency, easier, self.latency.values):
            self.latency.ask(least, by_latency[place[least] + 1 :])


def _all_pairs(borne: _Borne, ranked: Sequence[int]) -> None:
    for at, better in enumerate(ranked):
        borne.ask(better, ranked[at + 1 :])
