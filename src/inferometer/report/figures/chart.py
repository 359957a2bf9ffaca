"""What a figure shows, without how it is drawn: the interactive, the static and the tabular form all read this."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

Kind = Literal["lines", "fit", "dots", "boxes", "phase_bars"]
BY_ROWS = ("dots", "boxes", "phase_bars")  # kinds with a row a series, which show one batch size at a time
BEST = 0  # the batch size that stands for "each framework at its best"
SPAN_OF_DIGITS = 5.0  # a logarithmic axis that reaches over so much has two of 1, 2, 5 and 10; a narrower one takes even steps


@dataclass(frozen=True)
class Axis:
    """A quantity and how it is laid out; ``ticks`` are exact positions (batch sizes)."""

    label: str
    unit: str = ""
    log: bool = False
    ticks: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """Return the axis title: label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


class Point(msgspec.Struct, frozen=True, gc=False):
    """One cell in a figure, values in the unit of their axis; an interval end is None where none is known.

    ``lines``: `at` is the batch size, `value` the quantity. ``fit``: `at` the throughput, `value` the power.
    ``boxes``: `quantiles` are the 5, 25, 50, 75, 95 and 99 % ones. ``phase_bars``: `phases` are
    copy in, enqueue (the beginning of compute), compute and copy out, None where there is no such phase; `value` is their sum.
    """

    batch_size: int
    value: float
    low: float | None = None
    high: float | None = None
    at: float | str = 0.0
    at_low: float | None = None
    at_high: float | None = None
    quantiles: tuple[float, ...] = ()
    phases: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Fit:
    """A regression line of a series."""

    slope: float
    intercept: float
    r2: float


@dataclass(frozen=True)
class PlotSeries:
    """The points of one framework at one precision."""

    framework: str
    precision: str
    points: tuple[Point, ...]
    fit: Fit | None = None

    @property
    def name(self) -> str:
        """Return how the series is called in a legend."""
        return f"{self.framework} {self.precision}"


@dataclass(frozen=True)
class Chart:
    """One panel. Points of "dots" and "boxes" come for every batch size and for `BEST`, those of "phase_bars" for every size.

    Of these kinds one size is shown at a time, at first ``first_size``.
    """

    key: str
    title: str
    kind: Kind
    x: Axis
    y: Axis
    series: tuple[PlotSeries, ...]
    first_size: int = BEST

    def at_first(self) -> Chart:
        """Return the chart for where no other size can be chosen: without the series that lack a point at the first one."""
        if self.kind not in BY_ROWS:
            return self
        kept = (s for s in self.series if any(p.batch_size == self.first_size for p in s.points))
        return replace(self, series=tuple(kept))

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Return every batch size that has a point, `BEST` left out."""
        sizes = {point.batch_size for series in self.series for point in series.points}
        return tuple(sorted(sizes - {BEST}))

    def place(self, batch_size: int) -> float:
        """Return a batch size's place among all of the panel, 0 the smallest to 1 the largest."""
        sizes = self.batch_sizes
        return sizes.index(batch_size) / max(1, len(sizes) - 1)


@dataclass(frozen=True)
class FigureSpec:
    """A figure: its panels (one a machine, or one in all), and a sentence for everything that it cannot show."""

    key: str
    title: str
    lead: str
    charts: tuple[Chart, ...]
    omitted: tuple[str, ...] = ()
    optional: bool = False  # the page leaves it out where it has nothing to draw
