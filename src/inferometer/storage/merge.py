"""Runs of the same hardware, model and framework versions as one run: rounds count on, nothing is averaged."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from inferometer.records import Record, RunInfo
from inferometer.storage.destinations import destinations
from inferometer.storage.evaluations import copy_evaluations
from inferometer.storage.run_directory import RunWriter, StoredRun
from inferometer.storage.scenarios import copy_scenarios


class Merged(NamedTuple):
    """One run made of several."""

    info: RunInfo
    records: list[Record]
    runs: list[StoredRun]  # whose evaluations and results under load it takes over


def merge(runs: Sequence[StoredRun]) -> list[Merged]:
    """Return one run for each machine, share of it, model and number of threads; their records keep every sample.

    A run whose frameworks have other versions than an earlier one's of the same machine stays a run of its own.
    """
    groups: dict[tuple[object, ...], list[StoredRun]] = defaultdict(list)
    versions = [_versions(run) for run in runs]
    known = _known_versions(runs, versions)
    for run, own in zip(runs, versions, strict=True):
        groups[*_alike(run), _clash(own, known[run.info.machine.fingerprint])].append(run)
    return [_merge(found) for found in groups.values()]


def _alike(run: StoredRun) -> tuple[object, ...]:
    """Return what runs must have in common for their rounds to be of the same thing."""
    info = run.info
    threads = {r.actual.threads for r in run.records if r.actual} or {0}
    return (
        info.machine.fingerprint,
        info.machine.usable_cores,
        info.protocol.threads or max(threads),
        info.model.hash,
    )


def _versions(run: StoredRun) -> dict[tuple[str, str], str]:
    return {
        (r.cell.framework, r.cell.device): r.actual.version
        for r in run.records
        if r.actual and r.actual.version
    }


_Versions = dict[tuple[str, str], str]  # (framework, device) -> version


def _known_versions(
    runs: Sequence[StoredRun], versions: Sequence[_Versions]
) -> dict[str, dict[tuple[str, str], set[str]]]:
    """Return, for each hardware, which versions of each framework its runs have."""
    found: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for run, own in zip(runs, versions, strict=True):
        for name, version in own.items():
            found[run.info.machine.fingerprint][name].add(version)
    return found


def _clash(own: _Versions, known: Mapping[tuple[str, str], set[str]]) -> str:
    """Return the versions of the frameworks that another run has in another version: what keeps runs apart."""
    return ", ".join(f"{name[0]} {own[name]}" for name in sorted(own) if len(known[name]) > 1)


def _merge(runs: list[StoredRun]) -> Merged:
    first = runs[0].info
    records: list[Record] = []
    begins: list[int] = []
    for run, offset, fresh in _in_turn(runs):
        begins += [offset + begin for begin in run.info.merged_at or (0,)]
        records += [msgspec.structs.replace(r, round=r.round + offset, log=_log(run, r)) for r in fresh]
    of_cells = Counter(cell for cell, _ in {(r.cell, r.round) for r in records})
    cells = tuple(dict.fromkeys(c for run in runs for c in run.info.cells))
    notes = (
        *dict.fromkeys(n for run in runs for n in run.info.notes),
        *(f"merged from {run.path}" for run in runs),
    )
    info = msgspec.structs.replace(
        first,
        protocol=msgspec.structs.replace(first.protocol, rounds=max(of_cells.values(), default=1)),
        cells=cells,
        skips=tuple(s for s in dict.fromkeys(s for run in runs for s in run.info.skips)),
        meters=tuple({repr(m): m for run in runs for m in run.info.meters}.values()),
        environments={name: env for run in runs for name, env in run.info.environments.items()},
        notes=notes,
        jobs=tuple({repr(job): job for run in runs for job in run.info.jobs}.values()),
        request={},  # it is no run that could be resumed
        merged=True,
        merged_at=tuple(dict.fromkeys(begins)),
    )
    return Merged(info, records, runs)


def _in_turn(runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, int, list[Record]]]:
    """Yield each run with the round that it begins with in the merged one, and its records that are new there."""
    known: set[tuple[object, ...]] = set()
    first = 0
    for run in runs:
        fresh = _fresh(run, known)
        yield run, first, fresh
        first = max([first, *(first + record.round + 1 for record in fresh)])


def _fresh(run: StoredRun, known: set[tuple[object, ...]]) -> list[Record]:
    """Return the records that were not merged before (a run given twice, or whole and merged)."""
    found = []
    for record in run.records:
        mark = mark_of(record)
        if mark not in known or not (record.loops or record.published):
            known.add(mark)
            found.append(record)
    return found


def mark_of(record: Record) -> tuple[object, ...]:
    """Return what a record is known by in another run: no round, since a run that was merged has others."""
    return record.cell, record.status, record.started_at, record.loops, *sorted(record.published.items())


def _log(run: StoredRun, record: Record) -> str:
    return (
        str((run.path / record.log).resolve())
        if record.log and not Path(record.log).is_absolute()
        else record.log
    )


def write(merged: Sequence[Merged], out: Path) -> list[tuple[Path, RunInfo, int]]:
    """Write the runs where `destinations` says, all or none; return (path, info, number of records) of each."""
    written: list[tuple[Path, RunInfo, int]] = []
    try:
        for path, one in zip(destinations([found.info for found in merged], out), merged, strict=True):
            writer = RunWriter.create(path, one.info)
            written.append((path, one.info, len(one.records)))
            _fill(writer, one)
    except BaseException:
        for path, _, _ in written:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return written


def _fill(writer: RunWriter, merged: Merged) -> None:
    writer.append_all(merged.records)
    copy_evaluations(merged.runs, writer.path)
    copy_scenarios(merged.runs, writer.path, [first for _, first, _ in _in_turn(merged.runs)])
