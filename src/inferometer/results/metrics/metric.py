"""What a metric is: how to read it from a summary, and all that a table, figure or verdict must know to show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Series, product
from inferometer.results.metrics.quantities import Quantity, Scale
from inferometer.units import significant

Family = Literal["speed", "latency", "energy", "memory", "preparation", "accuracy", "phase", "cost"]
Reason = tuple[
    str, str
]  # a short word for a table's cell, and the whole reason; "" where there is no more to say


class Place(Enum):
    """Where a metric is shown unasked. `table NAME`, `compare --metric NAME` and the exports have every metric."""

    PAGE = "a table of the HTML report"
    MARKDOWN = "a table of the Markdown report"
    WORKBOOK = "a sheet of the workbook"
    ACROSS = "the figure of all frameworks across machines"
    MACHINES = "the finding about newer and older machines"


@dataclass(frozen=True)
class Words:
    """What the better and the worse of two cells is called: "faster", "slower"."""

    better: str = "better"
    worse: str = "worse"


@dataclass(frozen=True)
class Column:
    """A column of the table that a run ends with: its title, its text for a measured cell, and where it stands."""

    title: str
    text: Callable[[CellSummary], str]
    drop_order: int = 0  # how soon a narrow screen does without; 0: never
    place: int = 0  # from the left, among the metrics' columns


def not_known(summary: CellSummary) -> Reason:
    """Return that a cell that ended well lacks a metric for no reason of its own."""
    return "not known", ""


def no_series(summary: CellSummary) -> Series | None:
    """Return nothing, for metrics that are not known round by round."""
    return None


@dataclass(frozen=True)
class Metric:
    """One thing that is measured, so that no printer knows a metric by name."""

    name: str
    title: str
    family: Family
    quantity: Quantity
    higher_is_better: bool
    of: Callable[[CellSummary], Estimate | None]
    series: Callable[[CellSummary], Series | None] = (
        no_series  # logs, one a round, for telling two cells apart
    )
    why_none: Callable[[CellSummary], Reason] = not_known  # of a cell that ended well
    metered: bool = False  # rests on a meter's joules, so that cells of two meters never compete
    by_source: bool = False  # cells whose estimates come from two sources never compete
    exact: bool = False  # no noise: any difference is one
    competes: bool = True  # a row can be best at it
    shows_ends: bool = False  # of its interval: half a width in % of a share would be misread
    instead: str = ""  # the metric to compare where this one is 0 or less, which has no ratio
    asked_for: bool = False  # its absence is no news to who did not ask for it
    words: Words = Words()  # frozen
    per: str = ""  # what one value is of, where the unit does not say it: "an image"
    figure: Scale | None = None  # what `figure_scale` is; None: the stored unit, % for shares
    shown_in: frozenset[Place] = frozenset()
    by_batch: str = ""  # what its figure against the batch size tells; "" where there is no such figure
    columns: tuple[Column, ...] = ()  # of the table that a run ends with

    @property
    def unit(self) -> str:
        """Return the SI unit, as stored and exported."""
        return self.quantity.unit

    def measure(self, summary: CellSummary) -> str:
        """Return what measured a cell, where those measured by another never compete with it: its meter, or its source; ""."""
        if self.metered:
            return summary.meter
        found = self.of(summary) if self.by_source else None
        return found.source if found else ""

    @property
    def noun(self) -> str:
        """Return what it is called within a sentence: "energy an image"."""
        return f"{self.name} {self.per}".strip()

    @property
    def figure_scale(self) -> Scale:
        """Return the unit of figures and of the table of all cells, which is one for all of them."""
        only = self.quantity.scales[0] if len(self.quantity.scales) == 1 else Scale(1.0, self.unit)
        return self.figure or only

    def show(self, value: float) -> str:
        """Return a value for people: with a unit of suitable size, or bare where `unit` is the only one."""
        return self.quantity.show(value)

    def scale_for(self, values: Sequence[float]) -> Scale:
        """Return the unit in which the middle of ``values`` reads best."""
        return self.quantity.scale_for(values)

    def better(self, first: float, second: float) -> bool:
        """Return whether ``first`` beats ``second``."""
        return first > second if self.higher_is_better else first < second


def product_of(*terms: tuple[str, int]) -> Callable[[CellSummary], Series | None]:
    """Return what reads the product of some of `CellSummary.series`, each to the power 1 or -1."""
    return lambda summary: product(summary.series, terms)


def number(estimate: Estimate | None, factor: float = 1.0) -> str:
    """Return an estimate's value times ``factor`` as a column has it; "" for none."""
    return significant(estimate.value * factor) if estimate else ""
