"""The failed cells of a report, those that failed alike together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferometer.flags import group
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.palette import Palette
from inferometer.report.page.sections import Content
from inferometer.results.cells import CellSummary, Results
from inferometer.results.similar_causes import shape, spanned
from inferometer.units import counted

ORDER, TITLE = 50, "Failed cells"


@dataclass(frozen=True)
class Failure:
    """Cells that failed alike: those of one framework, precision, mode and cause (but for its numbers)."""

    machines: tuple[str, ...]
    framework: str
    index: int  # of the framework in the palette
    precision: str
    mode: str
    batch_sizes: tuple[int, ...]
    status: str
    cause: str
    log: str


@dataclass(frozen=True)
class Failures:
    """Failed cells, remarks on measured ones, and whether cells of several models or modes are among them."""

    failures: tuple[Failure, ...]
    flags: tuple[tuple[str, str], ...]
    several_modes: bool


def build(content: Content) -> Failures:
    """Return what went wrong, and what a reader must know of what went well."""
    cells = content.results.summaries
    return Failures(failures(content.results, content.palette), flags(cells), len(content.parts) > 1)


def failures(results: Results, palette: Palette) -> tuple[Failure, ...]:
    """Return every failed cell, those alike on one machine together, then machines with the same ones."""
    groups: dict[tuple[str, ...], dict[str, list[CellSummary]]] = {}
    for s in results.summaries:
        if s.status != "ok":
            key = (s.model, framework_label(s), s.cell.precision, s.cell.mode, s.status, shape(s.cause))
            groups.setdefault(key, {}).setdefault(s.machine, []).append(s)
    failed = []
    for (_, framework, precision, mode, status, _), by_machine in groups.items():
        alike: dict[tuple[int, ...], list[str]] = {}
        for machine, members in by_machine.items():
            sizes = tuple(sorted({s.cell.batch_size for s in members}))
            alike.setdefault(sizes, []).append(machine)
        for sizes, machines in alike.items():
            cause = spanned([s.cause for machine in machines for s in by_machine[machine]])
            failed.append(
                Failure(
                    tuple(machines), framework, palette.index(framework), precision, mode, sizes,
                    status, cause or "no cause was recorded", _log(by_machine[machines[0]]),
                )
            )  # fmt: skip
    return tuple(failed)


def _log(members: Sequence[CellSummary]) -> str:
    return next(
        (record.log for s in members for record in s.records if record.log and record.status != "ok"), ""
    )


def flags(cells: Iterable[CellSummary]) -> tuple[tuple[str, str], ...]:
    """Return what a reader must know about measured cells, each with how many cells it concerns; those alike are one."""
    flagged = ((flag, index) for index, cell in enumerate(cells) if cell.measured for flag in cell.flags)
    return tuple(sorted((told.words, counted(len(told.whom), "cell")) for told in group(flagged)))
