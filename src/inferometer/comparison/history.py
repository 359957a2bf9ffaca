"""A metric of every cell over runs in time, and where it changed, by the rule of `compare` (pure).

Each run is held against the runs before it, from the last change of the cell on: a change point is a run that `compare` calls
better or worse than them, broken or repaired. The runs share its level: a history where nothing changed shows a change in 5 % of cases at most.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.comparison.baseline import LAST, newest_of_each, same_thing
from inferometer.comparison.changes import Change
from inferometer.comparison.compare import compare
from inferometer.comparison.pairing import Name, NameParts, label_of, named
from inferometer.errors import UsageError, unknown
from inferometer.records import RunInfo
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import Metric, Scale
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted

CHANGES = ("better", "worse", "broken", "repaired")


@dataclass(frozen=True)
class Point:
    """A cell in one run."""

    path: Path
    at: str  # ISO 8601, UTC
    summary: CellSummary
    estimate: Estimate | None  # None: it did not end well, or has not the metric
    change: Change | None  # against the runs before it; None: there is none that it can be held against

    @property
    def version(self) -> str:
        """Return the framework's version, as it said itself; "" where unknown."""
        return self.summary.actual.version if self.summary.actual else ""

    @property
    def is_change(self) -> bool:
        """Return whether the metric changed here."""
        return self.change is not None and self.change.verdict in CHANGES


@dataclass(frozen=True)
class Line:
    """A cell in all the runs that have it, the oldest first."""

    name: str
    machine: str
    cell_name: Name
    points: tuple[Point, ...]
    facts: tuple[
        str, ...
    ] = ()  # that tell it from another of its name: the model's content, the machine's share and host

    @property
    def changes(self) -> tuple[Point, ...]:
        """Return where the metric changed."""
        return tuple(point for point in self.points if point.is_change)


@dataclass(frozen=True)
class History:
    """Every cell of some runs over time."""

    metric: Metric
    lines: tuple[Line, ...]
    runs: int

    @property
    def scale(self) -> Scale:
        """Return the unit that suits all values."""
        values = [point.estimate.value for line in self.lines for point in line.points if point.estimate]
        return self.metric.scale_for(values)

    def title_of(self, line: Line) -> str:
        """Return a line's name, its machine before it where there are several, behind it what tells it from others of that name."""
        title = self._plain_title(line)
        alike = self._facts[title]
        told = [fact for fact, *others in zip(line.facts, *alike, strict=True) if len(set(others)) > 1]
        return f"{title} ({', '.join(told)})" if told else title

    @functools.cached_property
    def _facts(self) -> dict[str, list[tuple[str, ...]]]:
        """The facts of the lines of each name."""
        found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for line in self.lines:
            found[self._plain_title(line)].append(line.facts)
        return found

    def _plain_title(self, line: Line) -> str:
        return f"{line.machine}: {line.name}" if self._several_machines else line.name

    @functools.cached_property
    def _several_machines(self) -> bool:
        return len({line.machine for line in self.lines}) > 1


def history(runs: Sequence[StoredRun], metric: Metric, last: int = LAST) -> History:
    """Return the lines of every machine, model and cell; runs of other hardware or another model are no history of each other.

    ``last``: each run is held against so many runs before it at most. UsageError for a run that holds a cell twice.
    """
    groups: dict[tuple[object, ...], list[StoredRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.info.created_at, str(run.path))):
        groups[same_thing(run.info)].append(run)
    lines = [line for found in groups.values() for line in _Group(found, metric, last).lines()]
    return History(metric, tuple(lines), len(runs))


@dataclass
class _Group:
    """Runs of one model on one machine, the oldest first."""

    runs: list[StoredRun]
    metric: Metric
    last: int
    _since: dict[Name, list[int]] = field(default_factory=dict)  # the runs since a cell's last change
    _points: dict[Name, list[Point]] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        for number, run in enumerate(self.runs):
            results = summarise([run])
            cells = named(results, run.path.name, NameParts(machines=False, devices=True), None)
            changes = self._changes(results, cells)
            for name, summary in cells.items():
                if summary.status != "skipped":
                    self._add(name, number, summary, changes.get(summary.key))
        return [
            Line(
                label_of(name), points[-1].summary.machine, name, tuple(points), _facts_of(self.runs[-1].info)
            )
            for name, points in self._points.items()
        ]

    def _changes(self, results: Results, cells: dict[Name, CellSummary]) -> dict[str, Change]:
        """Return what became of each cell, by its key, against the runs since its last change."""
        bases: dict[tuple[int, ...], list[CellSummary]] = defaultdict(list)
        for name, summary in cells.items():
            if known := self._since.get(name):
                bases[tuple(known[-self.last :])].append(summary)
        found = {}
        for numbers, summaries in bases.items():
            base = newest_of_each(summarise([self.runs[number] for number in numbers]))
            keys = {summary.key for summary in summaries}
            for change in compare(base, results, self.metric, looks=len(self.runs) - 1).changes:
                if change.second and change.second.key in keys:
                    found[change.second.key] = change
        return found

    def _add(self, name: Name, number: int, summary: CellSummary, change: Change | None) -> None:
        estimate = self.metric.of(summary) if summary.measured else None
        run = self.runs[number]
        point = Point(run.path, run.info.created_at, summary, estimate, change)
        self._points.setdefault(name, []).append(point)
        if point.is_change:
            self._since[name] = []
        self._since.setdefault(name, []).append(number)


def _facts_of(info: RunInfo) -> tuple[str, ...]:
    machine = info.machine
    content = info.model.hash[:8] or "unknown content"
    return content, counted(machine.usable_cores, "CPU"), machine.hostname or "unknown host"


def chosen(
    found: History,
    frameworks: Iterable[str] = (),
    models: Iterable[str] = (),
    machines: Iterable[str] = (),
) -> History:
    """Return the lines of some frameworks and models by their names, and of machines by any part of theirs; of all for none."""
    names, of_models, parts = set(frameworks), set(models), [part.lower() for part in machines]
    lines = tuple(
        line
        for line in found.lines
        if (not names or names & {line.cell_name[2], line.cell_name[2].partition(":")[0]})
        and (not of_models or line.cell_name[1] in of_models)
        and (not parts or any(part in line.machine.lower() for part in parts))
    )
    return History(found.metric, lines, found.runs)


def nothing_of(
    found: History, frameworks: Iterable[str], models: Iterable[str], machines: Iterable[str]
) -> UsageError:
    """Return what is wrong with a choice that leaves no line: the name that is unknown, or that no cell has all of it."""
    names = {
        name for line in found.lines for name in (line.cell_name[2], line.cell_name[2].partition(":")[0])
    }
    of_models = {line.cell_name[1] for line in found.lines}
    of_machines = {line.machine for line in found.lines}
    asked = [("framework", frameworks, names), ("model", models, of_models)]
    for kind, given, known in asked:
        for name in given:
            if name not in known:
                return unknown(kind, name, known)
    for part in machines:
        if not any(part.lower() in machine.lower() for machine in of_machines):
            return unknown("machine", part, of_machines)
    return UsageError(
        "no cell is of all that was asked for: leave out one of --framework, --model, --machine"
    )
