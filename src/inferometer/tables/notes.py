"""What stands below the overview: what its marks mean, and what a reader must know of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inferometer import units
from inferometer.flags import Flag, Told, flag, group
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import cut_short
from inferometer.results.metrics import MEMORY
from inferometer.results.ranking import several_measures
from inferometer.results.resolution import resolution
from inferometer.tables.accuracy_notes import accuracy_notes
from inferometer.tables.note import Note, not_judged

_Place = tuple[str, int]  # a row's name and a batch size


def notes(results: Results) -> list[Note]:
    """Return what a reader of the table must know: marks, intervals, energy's absence, flags."""
    summaries = results.summaries
    found = resolution(results)
    return [
        *_meaning_of_marks([s for s in summaries if s.ranked]),
        *_of_figures([s for s in summaries if s.measured]),
        *([Note(found.words, found.details)] if found else []),
        *map(Note, cut_short(results)),
        *_of_inputs(results),
        *_of_energy([s for s in summaries if s.measured]),
        *_of_memory([s for s in summaries if s.measured]),
        *accuracy_notes(results),
        *(_concerning(told) for told in group((f, _place(s)) for s in summaries for f in s.flags)),
    ]


def _meaning_of_marks(ranked: Sequence[CellSummary]) -> list[Note]:
    if not ranked:
        return []
    place = "device" if len({s.cell.device for s in ranked}) > 1 else "machine"
    differing = {
        "mode": {s.cell.mode for s in ranked},
        "model": {s.model for s in ranked},
        place: {s.machine for s in ranked},
    }
    among = [name for name, values in differing.items() if len(values) > 1]
    rivals = units.listed(["batch size", *among])
    return [
        Note(
            f"▲ highest throughput of its {rivals}{_of_others([s for s in ranked if not s.best])}",
            ("what counts as noise: docs/statistics.md, Ties",),
        )
    ]


def _of_others(others: Sequence[CellSummary]) -> str:
    """Return what the lack of a mark means for rows that are not the highest."""
    alone = [s for s in others if not s.judged]
    words = "; ≈ may be as fast: the difference is within the noise, or one that so many pairs show by chance"
    tied = words if any(s.tie for s in others) else ""
    none_judged = 0 < len(alone) == len(others)
    unknown = (
        f"; {not_judged(_cells(map(_place, alone)), 'faster', all_of_them=none_judged)}" if alone else ""
    )
    return unknown if none_judged else tied + unknown


def _of_figures(measured: Sequence[CellSummary]) -> list[Note]:
    """Return which intervals come from a single process, whose energy is of some rounds only, and which percentiles are rough."""
    known = [s for s in measured if s.throughput and s.throughput.half_width is not None]
    alone = [s for s in known if s.throughput and s.throughput.within_one_process]
    lines = []
    if alone:
        (told,) = group((flag("one-process"), _place(s)) for s in alone)
        which = "" if len(alone) == len(known) else f": {_cells(told.whom)}"
        lines.append(Note(f"{told.words.replace('±', '±95 %', 1)}{which}", told.details))
    energies = [(s, s.energy_image.remark) for s in measured if s.energy_image]
    lines += [_concerning(told) for told in group((f, _place(s)) for s, f in energies if f)]
    few: Iterable[tuple[Flag, str]] = ((s.p99.remark, s.key) for s in measured if s.p99 and s.p99.remark)
    return lines + [Note(f"~ {told.words}", told.details) for told in group(few)]


def _of_inputs(results: Results) -> list[Note]:
    """Return what the models were fed, where that was made up or cut."""
    found = dict.fromkeys((run.info.model.name, run.info.model.inputs_note) for run in results.runs)
    several = len({run.info.model.name for run in results.runs}) > 1
    return [Note(f"{name}: {note}" if several else note) for name, note in found if note]


def _of_energy(measured: Sequence[CellSummary]) -> list[Note]:
    reasons = dict.fromkeys(s.energy_reason for s in measured if s.energy_reason)
    return [Note(f"energy: {reason}") for reason in reasons]


def _of_memory(measured: Sequence[CellSummary]) -> list[Note]:
    """Return whose word each cell's memory is, where that differs on a machine."""
    if not several_measures(measured, MEMORY):
        return []
    known = [(s, s.memory.source) for s in measured if s.memory]
    return [
        _concerning(told) for told in group((flag("memory-source", source=w), _place(s)) for s, w in known)
    ]


def name_of(summary: CellSummary) -> str:
    """Return what an overview calls a cell's row: the framework, with precision and mode where they tell rows apart."""
    return summary.row if summary.cell.mode == "host" else f"{summary.row} ({summary.cell.mode})"


def _place(summary: CellSummary) -> _Place:
    return name_of(summary), summary.cell.batch_size


def _concerning(told: Told[_Place]) -> Note:
    return Note(f"{told.words}: {_cells(told.whom)}", told.details)


def _cells(found: Iterable[_Place]) -> str:
    sizes: dict[str, list[int]] = {}
    for name, size in found:
        sizes.setdefault(name, []).append(size)
    return "; ".join(f"{name} at {', '.join(map(str, sorted(which)))}" for name, which in sizes.items())
