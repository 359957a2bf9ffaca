"""What two loops that took turns reached, and the table of it."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec


@dataclass(frozen=True)
class Contest:
    """One framework as inferometer runs it, and the hand-written loop that does the same."""

    framework: str
    loop: str
    precision: str = "fp32"
    mode: str = "host"


@dataclass
class Result:
    """Throughputs by batch size: for each pair of processes those of its turns; and the fixed seconds of our cells."""

    contest: Contest
    ours: dict[int, list[list[float]]] = field(default_factory=dict)
    hand: dict[int, list[list[float]]] = field(default_factory=dict)
    overhead_s: list[float] = field(default_factory=list)
    version: str = ""
    problem: str = ""

    def ratio(self, size: int) -> tuple[float, float, float]:
        """Return the geometric mean of ours over hand, with a 95 % t-interval over the pairs of processes (nan below two)."""
        from inferometer.quantiles import CONFIDENCE, t_quantile

        logs = [_log_ratio(*sides) for sides in zip(self.ours[size], self.hand[size], strict=True)]
        mean = sum(logs) / len(logs)
        if len(logs) < 2:
            return math.exp(mean), math.nan, math.nan
        deviation = math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1))
        reach = t_quantile(CONFIDENCE, len(logs) - 1) * deviation / math.sqrt(len(logs))
        return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def _log_ratio(ours: list[float], hand: list[float]) -> float:
    """Return the median over turns, which a neighbour's burst in one of them does not move."""
    return statistics.median(math.log(a / b) for a, b in zip(ours, hand, strict=True))


def report(results: Sequence[Result], sizes: Sequence[int], folder: Path, name: str) -> str:
    """Write NAME.json into the folder and return a Markdown table."""
    lines = [
        "| framework | precision | mode | batch | ours (images/s) | hand-written | ratio | 95 % interval | pairs of processes |",
        "|---|---|---|--:|--:|--:|--:|---|--:|",
    ]
    for result in results:
        contest = result.contest
        head = f"| {contest.framework} | {contest.precision} | {contest.mode}"
        if result.problem:
            lines.append(f"{head} | | | | | {result.problem} | |")
        for size in sizes if not result.problem else ():
            ratio, low, high = result.ratio(size)
            ours, hand = (
                statistics.median(itertools.chain(*rates[size])) for rates in (result.ours, result.hand)
            )
            interval = f"{low:.3f} to {high:.3f}" if math.isfinite(low) else "one pair"
            lines.append(
                f"{head} | {size} | {ours:,.0f} | {hand:,.0f} | {ratio:.3f} | {interval} | {len(result.ours[size])} |"
            )
    seconds = sorted(value for result in results for value in result.overhead_s)
    if seconds:
        lines.append("")
        lines.append(
            f"Fixed cost a cell beyond load, preparation and loops: median {seconds[len(seconds) // 2]:.3f} s, "
            f"largest {seconds[-1]:.3f} s ({len(seconds)} cells)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(
        json.dumps([msgspec.to_builtins(vars(result)) for result in results], indent=1)
    )
    text = "\n".join(lines)
    (folder / f"{name}.md").write_text(text + "\n")
    return text
