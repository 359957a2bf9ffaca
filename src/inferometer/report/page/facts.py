"""What stands around the numbers: extent, machines, versions, runs, remarks on cells, as texts."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.report.figures.colours import framework_label
from inferometer.results.cells import Results
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted, listed

_NAMED = 3  # at most, in the heading


def heading(results: Results) -> str:
    """Return what the page is about: the models and the machines; how many of them where they are many."""
    models = list(dict.fromkeys(s.model for s in results.summaries))
    machines = list(dict.fromkeys(s.machine for s in results.summaries))
    if not models:
        return "No results yet"
    return f"{_few(models, 'model')} on {_few(machines, 'machine')}"


def _few(names: list[str], noun: str) -> str:
    return listed(names) if len(names) <= _NAMED else counted(len(names), noun)


def extent(results: Results) -> tuple[str, ...]:
    """Return what the results are about: models, machines, frameworks, precisions, batch sizes, cells, runs."""
    cells = results.summaries
    ok = sum(s.measured for s in cells)
    models = tuple(dict.fromkeys(s.model for s in cells))
    precisions = tuple(dict.fromkeys(s.cell.precision for s in cells))
    frameworks = {framework_label(s) for s in cells}
    facts = [
        ", ".join(models),
        counted(len(results.machines), "machine"),
        counted(len(frameworks), "framework"),
        ", ".join(precisions),
        _sizes(results.batch_sizes),
        f"{ok:,} of {counted(_planned(results), 'cell')} measured",
        counted(len(results.runs), "run"),
    ]
    return tuple(fact for fact in facts if fact)


def _planned(results: Results) -> int:
    """Return how many cells there are, those included that a run has yet to begin."""
    known = len(results.summaries)
    waiting = 0
    for run in results.runs:
        if run.info.source != "imported" and run.missing:
            ended = {record.cell for record in run.records}
            waiting += len({cell for cell, _ in run.missing} - ended)
    return known + waiting


def _sizes(sizes: tuple[int, ...]) -> str:
    if len(sizes) > 1:
        return f"batch sizes {sizes[0]} to {sizes[-1]}"
    return f"batch size {sizes[0]}" if sizes else ""


@dataclass(frozen=True)
class Progress:
    """A run that is not complete."""

    name: str
    ended: int
    planned: int


def progress(run: StoredRun) -> Progress:
    """Return how far a run is, in cells and rounds."""
    planned = len(run.planned)
    return Progress(run.path.name, planned - len(run.missing), planned)
