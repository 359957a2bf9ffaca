"""The best cell at a metric against the other frameworks and precisions (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.recommendation.decision import Lead
from inferometer.results.cells import CellSummary
from inferometer.results.judging import Judge


def lead(ranked: Sequence[CellSummary], judge: Judge) -> Lead | None:
    """Return how the first of ``ranked`` (best first) stands among the others; None where there is no other row.

    Against all cells of the others, not their nominal best alone: a noisy one may tie though it is behind.
    """
    if not ranked:
        return None
    best, rivals = ranked[0], [cell for cell in ranked if cell.row != ranked[0].row]
    if not rivals:
        return None
    ties: dict[str, CellSummary] = {}
    for rival in rivals:
        if rival.row not in ties and judge.judge(best, rival).standing in ("tie", "unclear"):
            ties[rival.row] = rival
    nearest = next(iter(ties.values()), rivals[0])
    return Lead(best, nearest, tuple(ties.values()), judge.judge(best, nearest))
