"""What tools told, held against what was drawn: errors, intervals, missing figures; Markdown tables.

By the monotonic clock outside the tool's calls, a visit drew at least what the load drew between begin's return and end's call, and
at most what it drew with both calls. A figure between the two is right: when within its calls a tool looks is its own
affair, and what the calls take is told beside. Regions in which the counter was not updated in time (the scheduler kept the writer waiting) are set aside:
no counter of the stated period behaves so.
"""

from __future__ import annotations

import bisect
import itertools
import json
import operator
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_powercap import LOADS, NS, Load, read_log

LATE_S = 0.002  # beyond the stated period, that an update may come late
AROUND_S = 0.05  # before and after a region in which the counter must have kept time, too
Stamps = tuple[int, int, int, int]


@dataclass(frozen=True)
class Judged:
    """One region of one tool: joules, NaN-free; None where the tool has no figure or no interval."""

    tool: str
    case: str
    kind: str
    least_j: float  # without the tool's own calls
    most_j: float  # with them
    figure_j: float | None
    low_j: float | None
    high_j: float | None
    cost_s: float  # of a begin and an end, median of its visits

    @property
    def error(self) -> float:
        """Return how far the figure lies from what was drawn, as a share of it; ValueError without a figure."""
        if self.figure_j is None:
            raise ValueError(f"{self.tool} has no figure")
        return max(self.least_j - self.figure_j, self.figure_j - self.most_j, 0.0) / self.least_j

    @property
    def held(self) -> bool:
        """Return whether its interval holds what was drawn; ValueError without one."""
        low_j, high_j = self._interval()
        return low_j <= self.most_j and self.least_j <= high_j

    @property
    def half_width(self) -> float:
        """Return the larger half of its interval as a share of what was drawn; ValueError without one."""
        low_j, high_j = self._interval()
        middle_j = self.least_j if self.figure_j is None else self.figure_j
        return max(middle_j - low_j, high_j - middle_j) / self.least_j

    def _interval(self) -> tuple[float, float]:
        if self.low_j is None or self.high_j is None:
            raise ValueError(f"{self.tool} states no interval")
        return self.low_j, self.high_j


@dataclass(frozen=True)
class Case:
    """One run of all tools."""

    name: str
    judged: tuple[Judged, ...]
    late: dict[str, int]  # regions set aside, by tool
    gaps_s: tuple[float, float]  # between updates: median, longest
    versions: dict[str, str]


def drawn_j(load: Load, origin_ns: int, visits: Sequence[Stamps]) -> tuple[float, float]:
    """Return what was drawn during the visits, without the tool's own calls and with them."""

    def span_j(start_ns: int, end_ns: int) -> float:
        return load.energy_j((end_ns - origin_ns) / NS) - load.energy_j((start_ns - origin_ns) / NS)

    least = sum(span_j(begun, ending) for _, begun, ending, _ in visits)
    return least, sum(span_j(before, ended) for before, _, _, ended in visits)


def late_gaps(log: Sequence[tuple[int, int, int]], update_s: float) -> list[tuple[int, int]]:
    """Return from when to when (ns) the counter stood still for longer than its period and a little."""
    longest_ns = round((update_s + LATE_S) * NS)
    return [(a[0], b[1]) for a, b in itertools.pairwise(log) if b[1] - a[0] > longest_ns]


def judge(name: str, case: dict[str, Any], log: Sequence[tuple[int, int, int]]) -> Case:
    """Hold each tool's figures of one case against the truth."""
    load, origin_ns = LOADS[case["load"]], case["origin_ns"]
    late = late_gaps(log, case["update_s"])
    ends = [end for _, end in late]
    judged: list[Judged] = []
    set_aside: dict[str, int] = {}
    for tool, told in case["tools"].items():
        for key, visits in told["spans"].items():
            first = bisect.bisect_left(ends, visits[0][0] - AROUND_S * NS)
            if first < len(late) and late[first][0] < visits[-1][3] + AROUND_S * NS:
                set_aside[tool] = set_aside.get(tool, 0) + 1
                continue
            figure = told["figures"].get(key, (None, None, None))
            cost_s = statistics.median((b - a + d - c) / NS for a, b, c, d in visits)
            kind = key.partition("#")[0]
            judged.append(Judged(tool, name, kind, *drawn_j(load, origin_ns, visits), *figure, cost_s))
    gaps_s = [(b[0] - a[0]) / NS for a, b in itertools.pairwise(log)]
    versions = {tool: told["version"] for tool, told in case["tools"].items()}
    return Case(name, tuple(judged), set_aside, (statistics.median(gaps_s), max(gaps_s)), versions)


def read(folder: Path) -> list[Case]:
    """Judge every case that lies in a folder."""
    return [
        judge(_title(path.stem), json.loads(path.read_text()), read_log(path.with_suffix(".log")))
        for path in sorted(folder.glob("*.json"))
    ]


def _title(stem: str) -> str:
    load, _, update = stem.rpartition("-")
    return f"{load}, updates every {update.removesuffix('ms')} ms"


def tables(folder: Path) -> str:
    """Return the Markdown of a folder's cases: errors a case, then intervals, then what each tool takes."""
    cases = read(folder)
    parts = []
    for case in cases:
        kinds = _in_order(one.kind for one in case.judged)
        head = [
            f"### {case.name}",
            "",
            f"Updates every {case.gaps_s[0] * 1e3:.2f} ms (median), at most {case.gaps_s[1] * 1e3:.1f} ms apart; regions set aside: "
            + (", ".join(f"{tool} {count}" for tool, count in case.late.items()) or "none"),
            "",
        ]
        parts.append("\n".join(head) + "\n" + _table(case.judged, kinds, _error))
    everything = [one for case in cases for one in case.judged]
    kinds = _in_order(one.kind for one in everything)
    stating = [one for one in everything if one.low_j is not None]
    parts.append(
        "### Intervals: truths held, and the median half-width\n\n"
        + _table(stating, kinds, _interval, lambda one: f"{one.tool}; {one.case}")
    )
    parts.append(
        "### What one begin and end take, and how far figures lie above the work alone (medians)\n\n"
        + _table(everything, kinds, _cost)
    )
    parts.append(
        "\n".join(f"{tool} {version or '(tells no version)'}" for tool, version in cases[0].versions.items())
        if cases
        else ""
    )
    return "\n\n".join(parts)


def _table(
    judged: Sequence[Judged],
    kinds: Sequence[str],
    cell: Callable[[list[Judged]], str],
    row: Callable[[Judged], str] = operator.attrgetter("tool"),
) -> str:
    names = list(dict.fromkeys(map(row, judged)))
    rows = [f"| | {' | '.join(map(_said, kinds))} |", "|---|" + "---:|" * len(kinds)]
    for name in names:
        found = [[one for one in judged if (row(one), one.kind) == (name, kind)] for kind in kinds]
        rows.append(f"| {name} | {' | '.join(cell(some) if some else '' for some in found)} |")
    return "\n".join(rows)


def _error(some: list[Judged]) -> str:
    errors = [one.error for one in some if one.figure_j is not None]
    missing = f" ({len(some) - len(errors)} of {len(some)} without)" if len(errors) < len(some) else ""
    return (
        (f"{_percent(statistics.median(errors))} / {_percent(max(errors))}" + missing)
        if errors
        else "no figure"
    )


def _interval(some: list[Judged]) -> str:
    width = statistics.median(one.half_width for one in some)
    return f"{sum(one.held for one in some)} of {len(some)}, ±{_percent(width)}"


def _cost(some: list[Judged]) -> str:
    above = [one.figure_j / one.least_j - 1 for one in some if one.figure_j is not None]
    cost = f"{statistics.median(one.cost_s for one in some) * 1e3:.2g} ms"
    return f"{cost}, {statistics.median(above):+.1%}".replace("%", " %") if above else cost


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 1 else f"{share * 100:.0f} %"


def _in_order(kinds: Iterable[str]) -> list[str]:
    return sorted(set(kinds), key=lambda kind: (int(kind.split("x")[1]), float(kind.split("x")[0])))


def _said(kind: str) -> str:
    seconds, _, visits = kind.partition("x")
    length = f"{float(seconds) * 1e3:g} ms" if float(seconds) < 0.1 else f"{float(seconds):g} s"
    return length if visits == "1" else f"{visits} visits of {length}"
