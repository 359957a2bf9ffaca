"""Findings about throughput: who is fastest at each batch size, and from which size on a larger one stops paying."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferometer import units
from inferometer.findings.finding import (
    ONE_PROCESS,
    Finding,
    at_sizes,
    by_size,
    margin,
    percent,
    unmeasured_sizes,
    where,
)
from inferometer.results.cells import CellSummary, Results
from inferometer.results.judging import Judge, Judgement
from inferometer.results.metrics import THROUGHPUT

_NEAR_BEST = 0.95  # a batch size that reaches this share of the best throughput is large enough


@dataclass
class _Standings:
    """The batch sizes of a scope by what the data say of their best."""

    clear: dict[str, list[tuple[int, float, str]]] = field(default_factory=lambda: defaultdict(list))
    tied: list[str] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    tests: list[Judgement] = field(default_factory=list)

    def add(self, size: int, ranked: Sequence[CellSummary], judge: Judge) -> None:
        """Take in a batch size."""
        best, *others = ranked
        judged = [(other, judge.judge(best, other)) for other in others]
        tied = [other.row for other, found in judged if found.open]
        if tied:
            self.tied.append(f"{size} ({units.listed([best.row, *tied])})")
        elif all(found.told for _, found in judged):
            lead = margin(judge.value(best), judge.value(others[0]))
            self.clear[best.row].append((size, lead, others[0].row))
            self.tests.append(judged[0][1])
        else:
            self.not_judged.append(f"{best.row} ({size})")

    def words(self) -> list[str]:
        """Return what is to say."""
        parts = [_won(row, wins) for row, wins in self.clear.items()]
        if self.tied:
            parts.append(f"no single winner at {at_sizes(self.tied)}")
        if self.not_judged:
            parts.append(
                f"not judged, since {ONE_PROCESS}: the highest figure of {units.listed(self.not_judged)}"
            )
        return parts


def winners(results: Results) -> list[Finding]:
    """Say who is fastest at each batch size, by how much, where that is a tie, and where nothing can be judged."""
    judge = Judge.of(results, THROUGHPUT)
    found = []
    for scope, summaries in results.scopes.items():
        open_ = unmeasured_sizes(results, summaries)
        sizes = {size: ranked for size, ranked in by_size(summaries, judge).items() if len(ranked) > 1}
        standings = _Standings()
        for size, ranked in sizes.items():
            if size not in open_:
                standings.add(size, ranked, judge)  # whose judge corrects for the number of batch sizes
        parts = standings.words()
        if parts:
            text = f"On {where(results, scope)} {'; '.join(parts)}."
            found.append(Finding("winner", text, *scope, tuple(standings.tests)))
    return found


def _won(row: str, wins: list[tuple[int, float, str]]) -> str:
    sizes = at_sizes([str(size) for size, _, _ in wins])
    least, most = min(wins, key=lambda w: w[1]), max(wins, key=lambda w: w[1])
    if len(wins) == 1:
        return f"{row} is fastest at {sizes}, {percent(least[1])} ahead of {least[2]}"
    return (
        f"{row} is fastest at {sizes}, {percent(least[1])} (over {least[2]} at {least[0]}) "
        f"to {percent(most[1])} (over {most[2]} at {most[0]}) ahead"
    )


@dataclass(frozen=True)
class _Sizes:
    """The batch sizes of one row: the least that is enough, how a larger one loses, and the tests behind both."""

    enough: int
    gains: bool  # over the smallest
    fall: str
    tests: tuple[Judgement, ...]


def batch_sizes(results: Results) -> list[Finding]:
    """Say from which batch size on a larger one gains no more than 5 % as far as the data tell, and where it loses."""
    judge = Judge.of(results, THROUGHPUT)
    found = []
    for scope, summaries in results.scopes.items():
        rows: dict[str, list[CellSummary]] = defaultdict(list)
        for summary in judge.ranked(summaries):
            rows[summary.row].append(summary)
        rows = {row: ranked for row, ranked in rows.items() if len(ranked) > 2}
        repeated = {
            row: ranked
            for row, ranked in rows.items()
            if all(judge.judges(ranked[0], other) for other in ranked[1:])
        }
        alone = {row: ranked for row, ranked in rows.items() if row not in repeated}
        claims = _claims(repeated)
        told = {row: _sizes(row, ranked, judge, claims) for row, ranked in repeated.items()}
        parts = [_enough(told)] if told else []
        if alone:
            best = units.listed([f"{row} ({ranked[0].cell.batch_size})" for row, ranked in alone.items()])
            parts.append(
                f"not judged, since {ONE_PROCESS}: the batch size of the highest throughput of {best}"
            )
        if parts:
            tests = tuple(test for one in told.values() for test in one.tests)
            found.append(
                Finding("batch-size", f"On {where(results, scope)} {'; '.join(parts)}.", *scope, tests)
            )
    return found


def _claims(rows: Mapping[str, Sequence[CellSummary]]) -> int:
    """Return by how many more pairs the sentence is picked than the judge corrects for: batch sizes in rows, not rows."""
    pairs = sum(len(ranked) * (len(ranked) - 1) // 2 for ranked in rows.values())
    corrected = max(1, len(rows) * (len(rows) - 1) // 2)
    return -(-pairs // corrected) or 1


def _sizes(row: str, ranked: Sequence[CellSummary], judge: Judge, claims: int) -> _Sizes:
    best, *others = ranked
    least = _NEAR_BEST * judge.value(best)
    short = {
        other.cell.batch_size: found
        for other in others
        if judge.value(other) < least and (found := judge.judge(best, other, claims)).told
    }
    sizes = sorted(cell.cell.batch_size for cell in ranked)
    top, last = best.cell.batch_size, sizes[-1]
    too_small = [size for size in sizes if size in short and size < top]
    enough = next(size for size in sizes if not too_small or size > max(too_small))
    fall = ""
    if last in short and last > top:
        value = next(judge.value(cell) for cell in others if cell.cell.batch_size == last)
        fall = f"{row} (-{100 * (1 - value / judge.value(best)):.0f} % from {top} to {last})"
    named = [*too_small[-1:], *([last] if fall else [])]
    return _Sizes(enough, bool(too_small), fall, tuple(short[size] for size in named))


def _enough(rows: Mapping[str, _Sizes]) -> str:
    smallest = [row for row, one in rows.items() if not one.gains]
    sizes = sorted({one.enough for one in rows.values() if one.gains})
    reached = ", ".join(
        f"{size} ({units.listed([row for row, one in rows.items() if one.gains and one.enough == size])})"
        for size in sizes
    )
    places = [f"at batch size {reached}"] if reached else []
    places += [f"at the smallest measured with {units.listed(smallest)}"] if smallest else []
    text = f"{100 * _NEAR_BEST:.0f} % of a framework's best throughput is reached {', '.join(places)}"
    falls = [one.fall for one in rows.values() if one.fall]
    return f"{text}; larger batches lose with {units.listed(falls)}" if falls else text
