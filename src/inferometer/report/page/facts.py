"""What stands around the numbers: extent, machines, versions, runs, remarks on cells, as texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from inferometer.flags import group
from inferometer.records import Machine
from inferometer.report.figures.colours import framework_label
from inferometer.results.cells import CellSummary, Results
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted, significant, size


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
        f"{ok:,} of {counted(len(cells), 'cell')} measured",
        counted(len(results.runs), "run"),
    ]
    return tuple(fact for fact in facts if fact)


def _sizes(sizes: tuple[int, ...]) -> str:
    if len(sizes) > 1:
        return f"batch sizes {sizes[0]} to {sizes[-1]}"
    return f"batch size {sizes[0]}" if sizes else ""


def flags(cells: Iterable[CellSummary]) -> tuple[tuple[str, str], ...]:
    """Return what a reader must know about measured cells, each with how many cells it concerns; those alike are one."""
    flagged = ((flag, index) for index, cell in enumerate(cells) if cell.measured for flag in cell.flags)
    return tuple(sorted((told.words, counted(len(told.whom), "cell")) for told in group(flagged)))


def machine_facts(machine: Machine) -> tuple[tuple[str, str], ...]:
    """Return what is known of a machine as (name, text)."""
    cores = f"{machine.physical_cores} cores, {machine.logical_cores} threads, {machine.usable_cores} usable"
    facts = [
        ("Host", machine.hostname),
        ("CPU", machine.cpu),
        ("Cores", cores if machine.physical_cores or machine.usable_cores else ""),
        ("Governor", machine.governor),
        ("Memory", size(machine.memory_bytes) if machine.memory_bytes else ""),
        ("System", ", ".join(part for part in (machine.os, machine.kernel) if part)),
        ("Virtualization", machine.virtualization),
        ("Python", machine.python),
    ]
    for gpu in machine.gpus:
        details = [
            gpu.name,
            size(gpu.memory_bytes) if gpu.memory_bytes else "",
            f"driver {gpu.driver}" if gpu.driver else "",
            f"CUDA {gpu.cuda}" if gpu.cuda else "",
            f"compute capability {gpu.compute_capability}" if gpu.compute_capability else "",
            f"power limit {significant(gpu.power_limit_w)} W" if gpu.power_limit_w else "",
        ]
        facts.append((f"GPU {gpu.index}", ", ".join(part for part in details if part)))
    return tuple((name, value) for name, value in facts if value)


def versions(results: Results) -> tuple[tuple[str, ...], ...]:
    """Return (framework, version, machines, devices, threads, further versions), one row a distinct set of versions."""
    rows: dict[tuple[str, ...], dict[str, None]] = {}
    for s in results.summaries:
        actual = s.actual
        if actual is None or not actual.version:
            continue
        further = ", ".join(f"{name} {version}" for name, version in sorted(actual.versions.items()))
        key = (s.cell.framework, actual.version, actual.device, str(actual.threads or ""), further)
        rows.setdefault(key, {})[s.machine] = None
    return tuple((*key[:2], ", ".join(machines), *key[2:]) for key, machines in sorted(rows.items()))


def run_facts(run: StoredRun) -> tuple[str, ...]:
    """Return name, begin, source, model, number of records, command and notes of a run."""
    info = run.info
    records = f"{len(run.records):,}"
    if run.missing:
        records += f" (and {len(run.missing):,} still to come)"
    return (
        run.path.name,
        _moment(info.created_at),
        info.source,
        info.model.name,
        records,
        info.command,
        "; ".join(info.notes),
    )


def _moment(text: str) -> str:
    """Return an ISO time as people write it; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment.tzinfo else text


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
