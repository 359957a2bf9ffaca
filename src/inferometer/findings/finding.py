"""What a finding is, where it holds, and the words that all findings share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferometer import units
from inferometer.results.cells import CellSummary, Results, Scope
from inferometer.results.completeness import gaps
from inferometer.results.judging import Judge, Judgement

ONE_PROCESS = "no cell has a second process"


@dataclass(frozen=True)
class Finding:
    """A sentence, what kind it is, and where it holds."""

    kind: str  # winner, efficient, slope, machines, batch-size, contradiction, failures
    text: str
    machine: str = ""  # "": about several
    model: str = ""
    mode: str = ""
    tests: tuple[Judgement, ...] = ()  # behind the differences that it names; none: it names none


def where(results: Results, scope: Scope) -> str:
    """Return a scope in words; model and mode only where there are several, and that its run goes on where it does."""
    machine, model, mode = scope
    more = [model] if len({s.model for s in results.summaries}) > 1 else []
    more += [f"{mode} mode"] if len({s.cell.mode for s in results.summaries}) > 1 else []
    more += ["so far"] if gaps(results, results.scopes[scope]) else []
    return f"{machine} ({', '.join(more)})" if more else machine


def unmeasured_sizes(results: Results, cells: Sequence[CellSummary]) -> set[int]:
    """Return the batch sizes of which a planned cell was not measured yet: the best of the rest is not the best."""
    return {cell.batch_size for gap in gaps(results, cells) for cell in gap.unmeasured}


def by_size(summaries: Iterable[CellSummary], judge: Judge) -> dict[int, list[CellSummary]]:
    """Return the cells of every batch size that have the judge's metric, best first."""
    sizes: dict[int, list[CellSummary]] = defaultdict(list)
    for summary in judge.ranked(summaries):
        sizes[summary.cell.batch_size].append(summary)
    return dict(sorted(sizes.items()))


def margin(first: float, second: float) -> float:
    """Return by what share the better of two positive values is ahead of the other."""
    return max(first, second) / min(first, second) - 1


def percent(share: float) -> str:
    """Return a share as "12.3 %"."""
    return f"{100 * share:.1f} %"


def at_sizes(words: Sequence[str]) -> str:
    """Return "batch size 8" or "batch sizes 8, 16 and 32"."""
    return f"batch size{'s' if len(words) > 1 else ''} {units.listed(words)}"
