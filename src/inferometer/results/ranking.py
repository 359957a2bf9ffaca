"""Who is best at a metric, and which rows the data cannot tell from the best (pure).

Rivals are the cells of one machine, model, mode and batch size, for energies of one meter too, for memory of one source. Rounds of one run are
paired, since its frameworks are interleaved; the variance of every comparison borrows from all comparisons on the
machine; p-values are multiplied by the number of pairs, because the best is chosen by looking. Where no cell has a second
process nothing is known of the noise between processes, and nothing is judged. `TieTest` is the one rule of this, for
tables, verdicts and recommendations alike. See docs/statistics.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from inferometer.results.cells import CellSummary
from inferometer.results.many_pairs import ManyPairs
from inferometer.results.metrics import Metric
from inferometer.results.tie_test import Judgement, Scope, Standing, TieTest


class Rank(msgspec.Struct, frozen=True, gc=False):
    """Where a cell stands at one metric among the rivals of its batch size."""

    value: float
    place: int  # 1: best
    best: bool
    tie: bool  # one of two or more that cannot be told from the best (the best included)
    best_overall: bool  # best of its machine, model and mode over all batch sizes
    ratio: float  # to the best of its batch size, >= 1 where better is more, <= 1 otherwise
    p: float  # adjusted chance of seeing such a distance from the best where there is none; 1.0 for the best
    standing: Standing = "told"  # towards the best; of the best: the least sure of its rivals'

    @property
    def judged(self) -> bool:
        """Return whether there is anything to judge its distance from the best by."""
        return self.standing != "not judged"


def of_one_meter(summaries: Sequence[CellSummary], metric: Metric) -> list[CellSummary]:
    """Return the cells that may be compared across batch sizes: for energies those of the meter that most have."""
    meters = Counter(s.meter for s in summaries if s.measured and s.meter) if metric.metered else Counter()
    most = next(iter(meters.most_common(1)), ("", 0))[0]
    return [s for s in summaries if len(meters) < 2 or s.meter == most]


def several_measures(summaries: Iterable[CellSummary], metric: Metric) -> bool:
    """Return whether cells of one machine were measured by different things, so that some do not compete."""
    found = {(s.machine, measure) for s in summaries if s.measured and (measure := metric.measure(s))}
    return len(found) > len({machine for machine, _ in found})


def rank_cells(summaries: Sequence[CellSummary], metric: Metric) -> dict[str, Rank]:
    """Return the rank of every measured cell that has the metric, by the summary's key."""
    test = TieTest(summaries, metric)
    overall: dict[Scope, float] = {}
    for group, members in test.groups.items():
        members.sort(key=test.value, reverse=metric.higher_is_better)
        top = test.value(members[0])
        if group[:4] not in overall or metric.better(top, overall[group[:4]]):
            overall[group[:4]] = top
    found: dict[str, Rank] = {}
    for group, members in test.groups.items():
        found |= _place(members, test, overall[group[:4]])
    if not metric.competes:
        return {key: replace(at, best=False, tie=False, best_overall=False) for key, at in found.items()}
    return found


_UNSURE: tuple[Standing, ...] = ("tie", "unclear", "not judged")  # the least sure first
_TIES: tuple[Standing, ...] = ("tie", "unclear")


def _place(members: list[CellSummary], test: TieTest, overall: float) -> dict[str, Rank]:
    top = test.value(members[0])
    found = ManyPairs(test, members).judgements(0, range(1, len(members)))
    others = {judgement.standing for judgement in found}
    of_best: Standing = next((s for s in _UNSURE if s in others), "told")
    judgements = [Judgement(of_best, 1.0), *found]
    return {
        summary.key: Rank(
            value := test.value(summary),
            place,
            place == 1,
            judgement.standing in _TIES,
            place == 1 and value == overall,
            value / top if top else 1.0,
            judgement.p,
            judgement.standing,
        )
        for place, (summary, judgement) in enumerate(zip(members, judgements, strict=True), 1)
    }
