"""What is drawn of results under load: rate against latency with the promise, and rate against energy; coordinates, no markup."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase

from inferometer import units
from inferometer.records import LoadTest
from inferometer.records.scenario import why_invalid
from inferometer.report.figures.palette import Palette, Style
from inferometer.results.under_load import LoadSummary, joules_a_request

WIDTH, HEIGHT = 744, 336
TOP, LEFT, BOTTOM, RIGHT = 30, 70, 46, 118  # room for labels; on the right, for the promises
_STEPS = (1.0, 2.0, 5.0)
_MOST_TICKS = 8


@dataclass(frozen=True)
class Mark:
    """One LoadGen test."""

    x: float
    y: float
    valid: bool
    words: str


@dataclass(frozen=True)
class Line:
    """The tests of one row by one policy, from the lowest rate to the highest."""

    name: str
    style: Style
    index: int  # of the framework in the page
    precision: str
    marks: tuple[Mark, ...]
    letter: str = ""  # written at its ends and in the key, where another line has the same look

    @property
    def path(self) -> str:
        """Return the corners for SVG."""
        return " ".join(f"{mark.x:g},{mark.y:g}" for mark in self.marks)


@dataclass(frozen=True)
class LoadPlot:
    """One plot, both axes logarithmic."""

    title: str
    lead: str
    x_title: str
    y_title: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    bounds: tuple[tuple[float, str], ...]  # promises: where, and what
    lines: tuple[Line, ...]


_Value = Callable[[LoadSummary, LoadTest], float | None]


def latency_plot(summaries: Sequence[LoadSummary], palette: Palette) -> LoadPlot | None:
    """Return rate against the percentile of latencies, None without server tests; those that were ended early have none that counts."""

    def latency(summary: LoadSummary, test: LoadTest) -> float | None:
        return None if test.ended_early else test.latency_s.get(f"{summary.percentile:g}")

    percentiles = units.listed([f"p{p:g}" for p in sorted({s.percentile for s in summaries})])
    return _plot(
        summaries, palette, latency,
        title="Latency of requests against their rate",
        lead=f"{percentiles} of LoadGen's server tests, all that were tried; hollow: INVALID. A promise is a dashed line.",
        y_title="latency", show=units.duration, bounds=sorted({s.bound_s for s in summaries if s.bound_s}),
    )  # fmt: skip


def energy_plot(summaries: Sequence[LoadSummary], palette: Palette) -> LoadPlot | None:
    """Return rate against joules a request, None where no energy is known."""
    return _plot(
        summaries, palette, lambda summary, test: joules_a_request(test),
        title="Energy a request against the rate",
        lead="What a half-empty server costs: the device's power at rest is shared by the requests that there are.",
        y_title="energy a request", show=lambda joules: f"{units.significant(1e3 * joules)} mJ", bounds=[],
    )  # fmt: skip


def _plot(
    summaries: Sequence[LoadSummary], palette: Palette, value: _Value, *, title: str, lead: str, y_title: str,
    show: Callable[[float], str], bounds: Sequence[float],
) -> LoadPlot | None:  # fmt: skip
    points = {place: _points(summary, value) for place, summary in enumerate(summaries)}
    rates = [rate for found in points.values() for rate, _, _ in found]
    values = [y for found in points.values() for _, y, _ in found]
    if not rates:
        return None
    x = _Scale.over(rates, LEFT, WIDTH - RIGHT)
    y = _Scale.over([*values, *bounds], HEIGHT - BOTTOM, TOP)
    lines = [
        _line(summaries[place], points[place], (x, y), palette, show) for place in points if points[place]
    ]
    return LoadPlot(
        title, lead, "requests/s", y_title,
        tuple((x.at(tick), units.significant(tick)) for tick in x.ticks()),
        tuple((y.at(tick), show(tick)) for tick in y.ticks()),
        tuple((y.at(bound), show(bound)) for bound in bounds), _lettered(lines),
    )  # fmt: skip


def _lettered(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines, those of one look with letters: promises and batchings have no look of their own."""
    looks = Counter(line.style for line in lines)
    letters = iter(ascii_lowercase)
    return tuple(replace(line, letter=next(letters, "")) if looks[line.style] > 1 else line for line in lines)


def _points(summary: LoadSummary, value: _Value) -> list[tuple[float, float, LoadTest]]:
    tests = (
        test for result in summary.results for test in result.tests if test.purpose in ("search", "load")
    )
    found = ((test.target_rate, value(summary, test), test) for test in tests)
    return sorted(((rate, y, test) for rate, y, test in found if rate and y), key=lambda point: point[0])


def _line(
    summary: LoadSummary,
    points: Iterable[tuple[float, float, LoadTest]],
    scales: tuple[_Scale, _Scale],
    palette: Palette,
    show: Callable[[float], str],
) -> Line:
    x, y = scales
    framework = summary.row.removesuffix(f" {summary.cell.precision}")
    bound = f", promise {units.duration(summary.bound_s)}" if summary.bound_s else ""
    marks = tuple(
        Mark(
            x.at(rate),
            y.at(value),
            test.valid,
            f"{summary.row}: {units.significant(rate)} requests/s, {show(value)}, {why_invalid(test) or 'VALID'}",
        )
        for rate, value, test in points
    )
    name = f"{summary.row}, batches {summary.batching.words}{bound}"
    style = replace(palette.style(framework, summary.cell.precision), fill="full")  # hollow says INVALID here
    return Line(name, style, palette.index(framework), summary.cell.precision, marks)


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> _Scale:
        found = list(values)
        return cls(min(found) / 1.15, max(found) * 1.15, start, end)

    def at(self, value: float) -> float:
        """Return where a value lies, in pixels."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return round values within it, few enough to be read."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in (_STEPS, (1.0, 3.0), (1.0,)):
            found = [s * 10.0**d for d in decades for s in steps if self.low <= s * 10.0**d <= self.high]
            if len(found) <= _MOST_TICKS:
                break
        few = len(found) < 2
        return self._even_ticks() if few else found[:: math.ceil(len(found) / _MOST_TICKS)]

    def _even_ticks(self) -> list[float]:
        """Return the multiples of a round step, three at least: a narrow range may hold none of `_STEPS`."""
        most = (self.high - self.low) / 3
        power = 10.0 ** math.floor(math.log10(most))
        step = max(digit * power for digit in _STEPS if digit * power <= most)
        return [step * count for count in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
