"""One pool of records a cell and machine, over rounds and runs, with labels people can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferometer.flags import Flag, flag
from inferometer.records import Cell, Machine, Record
from inferometer.results.collecting import Collected, Facts, Identity, collect
from inferometer.results.estimates import Key
from inferometer.storage.run_directory import StoredRun
from inferometer.storage.stored_records import records_at
from inferometer.units import counted

# one such round and the cell's figures cannot be trusted at all
_NEVER_RANKED = ("parity-failed", "wrong-device", "wrong-precision", "timed-out")


class Located(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One cell on one machine: what to call it, and where its records are, which may not have been read."""

    key: str
    cell: Cell
    row: str
    machine: str
    model: str
    model_hash: str
    rounds: tuple[Key, ...]  # of its records
    skips: tuple[str, ...]  # why it was not measured, where it was not
    records: Sequence[Record] = ()
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Pool:
    """The records of one cell on one machine, and how it ended."""

    place: Located
    log: str
    good: tuple[tuple[Key, Record], ...]
    status: str
    cause: str
    flags: tuple[Flag, ...]


def locate(runs: Sequence[StoredRun]) -> tuple[list[Located], dict[str, Machine]]:
    """Return all cells that ended or were skipped, in order of first appearance, and the machines by their labels.

    The same cell pools over rounds and over runs of the same hardware and share of it, model (content, shapes, inputs),
    framework version and number of threads.
    """
    raw = collect(runs)
    labels = _machine_labels([r.identity for r in raw], {r.identity: r.hardware for r in raw})
    models, rows = _model_labels(raw), _row_labels(raw)
    machines: dict[str, Machine] = {}
    located = []
    for entry in raw:
        machine = labels[entry.identity]
        machines.setdefault(machine, entry.hardware)
        model = models[entry.cell.model, entry.model_hash]
        row = rows[entry.cell.framework, entry.cell.precision, entry.facts]
        located.append(_located(entry, machine, model, row))
    return located, machines


def _located(raw: Collected, machine: str, model: str, row: str) -> Located:
    cell = raw.cell
    return Located(
        key="/".join((machine, model, row, str(cell.batch_size), cell.device, cell.mode)),
        cell=cell,
        row=row,
        machine=machine,
        model=model,
        model_hash=raw.model_hash,
        rounds=tuple([key for key, _, _ in raw.places]),
        skips=tuple(raw.skips),
        records=_records(raw),
        paths=tuple(raw.paths),
    )


def pool(place: Located) -> Pool:
    """Read the records of a cell."""
    records = tuple(place.records)
    status, cause, flags = _verdict(records, place.skips)
    return Pool(
        place=place,
        log=next((record.log for record in records if record.log), ""),
        good=tuple([at for at in zip(place.rounds, records, strict=True) if at[1].status == "ok"]),
        status=status,
        cause=cause,
        flags=flags,
    )


def _machine_labels(identities: Sequence[Identity], hardware: dict[Identity, Machine]) -> dict[Identity, str]:
    by_name: dict[str, list[Identity]] = defaultdict(list)
    for identity in dict.fromkeys(identities):
        by_name[identity[2]].append(identity)
    labels: dict[Identity, str] = {}
    for name, same in by_name.items():
        hosts = {identity[0] for identity in same}
        devices = {identity[1] for identity in same}
        shares = {identity[3] for identity in same}
        for number, identity in enumerate(same, 1):
            extra = []
            if len(hosts) > 1:
                extra.append(hardware[identity].hostname or hardware[identity].cpu or f"no. {number}")
            if len(devices) > 1:
                extra.append(identity[1])
            if len(shares) > 1 and len(hosts) == 1:  # hosts differ in more, and are named
                extra.append(f"{counted(identity[3], 'core')} usable")
            labels[identity] = f"{name} ({', '.join(extra)})" if extra else name
    return _made_unique(labels)


def _made_unique(labels: dict[Identity, str]) -> dict[Identity, str]:
    seen: dict[str, int] = {}
    unique = {}
    for identity, label in labels.items():
        seen[label] = seen.get(label, 0) + 1
        unique[identity] = label if seen[label] == 1 else f"{label} #{seen[label]}"
    return unique


def _model_labels(raw: Sequence[Collected]) -> dict[tuple[str, str], str]:
    """Name a model by its input shapes, or its hash, where two of the same name are known, on whatever machines."""
    contents: dict[tuple[Identity, Cell], set[str]] = defaultdict(set)
    shapes: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in raw:
        contents[entry.identity, entry.cell].add(entry.model_hash)
        shapes[entry.cell.model][entry.model_hash] = entry.shapes
    ambiguous = {cell.model for (_, cell), hashes in contents.items() if len(hashes) > 1}
    ambiguous |= {name for name, hashes in shapes.items() if len(set(hashes) - {""}) > 1}
    labels = {}
    for entry in raw:
        name, known = entry.cell.model, list(shapes[entry.cell.model].values())
        telling = entry.shapes if known.count(entry.shapes) == 1 else ""
        which = f"{name} ({telling or entry.model_hash[:8] or 'unknown content'})"
        labels[name, entry.model_hash] = which if name in ambiguous else name
    return labels


def _row_labels(raw: Sequence[Collected]) -> dict[tuple[str, str, Facts], str]:
    """Name a row by its framework; add version, precision or threads where the framework alone does not tell."""
    facts: dict[tuple[Identity, Cell, str], set[Facts]] = defaultdict(set)
    precisions: dict[str, set[str]] = defaultdict(set)
    for entry in raw:
        facts[entry.identity, entry.cell, entry.model_hash].add(entry.facts)
        precisions[entry.cell.framework].add(entry.cell.precision)
    versions = {
        cell.framework for (_, cell, _), found in facts.items() if len({f.version for f in found}) > 1
    }
    threads = {cell.framework for (_, cell, _), found in facts.items() if len({f.threads for f in found}) > 1}
    labels = {}
    for entry in raw:
        framework, precision = entry.cell.framework, entry.cell.precision
        parts = [framework]
        if framework in versions:
            parts.append(entry.facts.version or "(unknown version)")
        if framework in threads:
            parts.append(counted(entry.facts.threads, "thread"))
        if precisions[framework] != {"fp32"}:
            parts.append(precision)
        labels[framework, precision, entry.facts] = " ".join(parts)
    return labels


def _records(raw: Collected) -> Sequence[Record]:
    """Return the records, or the sequence that reads them from the one run that they are of."""
    runs = {id(run): run for _, run, _ in raw.places}
    if len(runs) == 1:
        (run,) = runs.values()
        return records_at(run.records, [at for _, _, at in raw.places])
    return tuple(run.records[at] for _, run, at in raw.places)


def _verdict(records: Sequence[Record], skips: Sequence[str]) -> tuple[str, str, tuple[Flag, ...]]:
    """Return status, cause and flags of a pool: wrong results in one round condemn it, other mishaps need half."""
    ended = [r for r in records if r.status != "interrupted"] or records
    if not ended:
        return "skipped", skips[0] if skips else "", ()
    bad = [r for r in ended if r.status != "ok"]
    flags = dict.fromkeys(found for r in ended for found in r.flags)
    condemned = next((r for r in bad if r.status in _NEVER_RANKED), None)
    if condemned or len(bad) * 2 > len(ended):
        worst = condemned or bad[-1]
        return worst.status, _cause(worst, len(bad), len(ended)), tuple(flags)
    if bad:
        last = bad[-1]
        flags[flag("rounds-failed", bad=len(bad), ended=len(ended), status=last.status, cause=last.cause)] = (
            None
        )
    return "ok", "", tuple(flags)


def _cause(record: Record, bad: int, ended: int) -> str:
    share = f" ({bad} of {ended} rounds)" if bad < ended else ""
    return f"{record.cause}{share}"
