"""What the cells of two sets of runs are called, so that each is compared with itself (pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from inferometer.errors import UsageError, unknown
from inferometer.records import Cell
from inferometer.results.cells import CellSummary, Results

# machine ("": the only one), model, framework, precision, batch size, mode, device ("": the only one)
Name = tuple[str, str, str, str, int, str, str]
Anything = TypeVar("Anything")


@dataclass(frozen=True)
class NameParts:
    """Whether machines and devices are part of a cell's name."""

    machines: bool
    devices: bool

    @classmethod
    def of(cls, *sides: Results) -> NameParts:
        """Return what it takes to tell the cells of each side apart."""
        machines = [{m.fingerprint for m in side.machines.values()} for side in sides]
        devices = [{s.cell.device for s in side.summaries} for side in sides]
        return cls(max(map(len, machines)) > 1, max(map(len, devices)) > 1)


def named(
    results: Results, side: str, name_parts: NameParts, framework: str | None
) -> dict[Name, CellSummary]:
    """Return the cells of one side (of one ``framework`` of it) by name, without its version where it is unique.

    UsageError for a framework that ``side`` ("A", "B") does not hold, and for a cell it holds twice.
    """
    chosen = [s for s in results.summaries if framework is None or s.cell.framework == framework]
    if framework is not None and not chosen:
        raise unknown(f"framework in {side}", framework, {s.cell.framework for s in results.summaries})
    plain = Counter(_name(s, name_parts, short=True) for s in chosen)
    found: dict[Name, CellSummary] = {}
    for summary in chosen:
        short = _name(summary, name_parts, short=True)
        name = short if plain[short] == 1 else _name(summary, name_parts, short=False)
        if name in found:
            rows = " and ".join(f"'{s.model}, {s.row}'" for s in (found[name], summary))
            raise UsageError(f"{side} holds {label_of(name)} twice, as {rows}: give one of these runs alone")
        found[name] = summary
    return found


def _name(summary: CellSummary, name_parts: NameParts, *, short: bool) -> Name:
    return _name_of(summary.cell, summary.machine, name_parts, short=short)


def _name_of(cell: Cell, machine: str, name_parts: NameParts, *, short: bool) -> Name:
    start, _, rest = cell.framework[1:].partition("@")  # a stranger's name may begin with one
    name, variant = cell.framework[:1] + start, rest.partition(":")[2]
    framework = (f"{name}:{variant}" if variant else name) if short else cell.framework
    device = cell.device if name_parts.devices else ""
    return (
        machine if name_parts.machines else "",
        cell.model,
        framework,
        cell.precision,
        cell.batch_size,
        cell.mode,
        device,
    )


def planned(results: Results, name_parts: NameParts, framework: str | None) -> frozenset[Name]:
    """Return the names of all cells that the runs were to measure, whether they have a record or not."""
    cells = {
        (label if name_parts.machines else "", cell)
        for run in results.runs
        for label, machine in results.machines.items()
        if machine.fingerprint == run.info.machine.fingerprint
        for cell in run.info.cells
        if framework in (None, cell.framework)
    }
    plain = Counter(_name_of(cell, label, name_parts, short=True) for label, cell in cells)
    names = {
        _name_of(cell, label, name_parts, short=plain[_name_of(cell, label, name_parts, short=True)] == 1)
        for label, cell in cells
    }
    return frozenset(without_framework(dict.fromkeys(names)) if framework else names)


def without_framework(found: dict[Name, Anything]) -> dict[Name, Anything]:
    """Return what was found of one framework by names without it."""
    return {(machine, model, "", *rest): s for (machine, model, _, *rest), s in found.items()}  # type: ignore[misc]


def label_of(name: Name) -> str:
    """Return a name as people read it."""
    machine, model, framework, precision, size, mode, device = name
    where = f"on {device}" if device else ""
    parts = (model, framework, precision, str(size), "" if mode == "host" else mode, where)
    return (f"{machine}: " if machine else "") + " ".join(part for part in parts if part)
