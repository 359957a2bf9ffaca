"""Which records belong together: one pool a cell and machine, over rounds and runs, with labels people can read."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.device import Device
from inferometer.flags import Flag, flag
from inferometer.records import Cell, Machine, ModelInfo, Record
from inferometer.results.estimates import Key
from inferometer.storage.run_directory import StoredRun
from inferometer.storage.stored_records import heads_of, records_at
from inferometer.units import counted

# one such round and the cell's figures cannot be trusted at all
_NEVER_RANKED = ("parity-failed", "wrong-device", "wrong-precision", "timed-out")

_Identity = tuple[str, str, str, int]  # machine's fingerprint, device, GPU or CPU name, usable cores


@dataclass(frozen=True, eq=False)
class Pool:
    """The records of one cell on one machine, and what to call them."""

    key: str
    cell: Cell
    row: str
    machine: str
    model: str
    model_hash: str
    hardware: Machine
    paths: tuple[Path, ...]
    records: Sequence[Record]
    good: tuple[tuple[Key, Record], ...]
    status: str
    cause: str
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class _Facts:
    """What a framework ran with, as it said itself."""

    version: str = ""
    threads: int = 0


@dataclass
class _Raw:
    cell: Cell
    identity: _Identity
    hardware: Machine
    model_hash: str
    shapes: str  # of the model's inputs
    facts: _Facts
    paths: dict[Path, None] = field(default_factory=dict)
    places: list[tuple[Key, StoredRun, int]] = field(default_factory=list)  # of its records in their runs
    by_round: dict[int, list[tuple[StoredRun, int]]] = field(default_factory=dict)
    skips: list[str] = field(default_factory=list)


_RawKey = tuple[_Identity, Cell, str, "_Facts"]


def pool(runs: Sequence[StoredRun]) -> Iterator[Pool]:
    """Yield the pools of all cells that ended or were skipped, in order of first appearance.

    The same cell pools over rounds and over runs of the same hardware and share of it, model (content, shapes, inputs),
    framework version and number of threads.
    """
    raw = _collect(runs)
    machines = _machine_labels(
        [r.identity for r in raw.values()], {r.identity: r.hardware for r in raw.values()}
    )
    models, rows = _model_labels(list(raw.values())), _row_labels(list(raw.values()))
    for entry in raw.values():
        yield _finish(
            entry,
            machines[entry.identity],
            models[entry.cell.model, entry.model_hash],
            rows[entry.cell.framework, entry.cell.precision, entry.facts],
        )


def _collect(runs: Sequence[StoredRun]) -> dict[_RawKey, _Raw]:
    raw: dict[_RawKey, _Raw] = {}
    numbers: dict[tuple[int, str], int] = {}
    for place, run in enumerate(runs):
        entries, heads = _Entries(raw, run), heads_of(run.records)
        for (cell, round_), at in _last_word(heads).items():
            number = numbers.setdefault((place, _origin(run, heads[at])), len(numbers))
            entry = entries.of(cell)
            known = entry.by_round.setdefault(round_, [])
            if not _holds(known, run, at):  # else the same run given twice, or merged and whole
                known.append((run, at))
                entry.places.append(((number, round_), run, at))
        for skip in run.info.skips:
            entries.of(skip.cell).skips.append(skip.reason)
    return raw


def _holds(known: Sequence[tuple[StoredRun, int]], run: StoredRun, at: int) -> bool:
    return bool(known) and run.records[at] in [other.records[place] for other, place in known]


def _origin(run: StoredRun, record: Record) -> str:
    """Return which of the runs that were merged into one a record is from: "" for a run of its own.

    Merged before they said where each begins, runs are told by the folders of their logs.
    """
    if run.info.merged_at:
        return str(bisect.bisect_right(run.info.merged_at, record.round))
    return str(Path(record.log).parent) if run.info.merged and record.log else ""


def _last_word(heads: Sequence[Record]) -> dict[tuple[Cell, int], int]:
    """Return where the one record of a cell and round is: the last, except that an interruption never replaces a result."""
    found: dict[tuple[Cell, int], int] = {}
    for place, head in enumerate(heads):
        key = (head.cell, head.round)
        if key not in found or head.status != "interrupted":
            found[key] = place
    return found


class _Entries:
    """The entries of one run's cells among those of all runs; each is looked for once."""

    def __init__(self, raw: dict[_RawKey, _Raw], run: StoredRun) -> None:
        self._raw, self._run, self._facts = raw, run, _facts(run)
        self._found: dict[Cell, _Raw] = {}
        self._identities: dict[str, _Identity] = {}

    def of(self, cell: Cell) -> _Raw:
        """Return the entry of a cell."""
        found = self._found.get(cell)
        if found is None:
            found = self._found[cell] = self._entry(cell)
        return found

    def _entry(self, cell: Cell) -> _Raw:
        info = self._run.info
        if cell.device not in self._identities:
            self._identities[cell.device] = _identity(info.machine, cell.device)
        identity = self._identities[cell.device]
        found = self._facts.get((cell.framework, cell.device), _Facts(threads=info.protocol.threads))
        key = (identity, cell, info.model.hash, found)
        entry = self._raw.get(key)
        if entry is None:
            shapes = _shapes(info.model)
            entry = self._raw[key] = _Raw(cell, identity, info.machine, info.model.hash, shapes, found)
        entry.paths[self._run.path] = None
        return entry


def _facts(run: StoredRun) -> dict[tuple[str, str], _Facts]:
    """Return each framework's version and threads by (framework, device): failed cells have none of their own."""
    found: dict[tuple[str, str], _Facts] = {}
    for record in heads_of(run.records):
        if record.actual and record.actual.version:
            threads = record.actual.threads or run.info.protocol.threads
            found.setdefault(
                (record.cell.framework, record.cell.device), _Facts(record.actual.version, threads)
            )
    return found


def _shapes(model: ModelInfo) -> str:
    """Return the inputs' shapes without the batch, in words: "128; 3x224x224"."""
    return "; ".join("x".join(map(str, spec.get("shape", ())[1:])) or "1" for spec in model.inputs)


def _identity(machine: Machine, device: str) -> _Identity:
    return machine.fingerprint, device, device_name(machine, device), machine.usable_cores


def device_name(machine: Machine, device: str) -> str:
    """Return the name of the hardware behind "cpu" or "cuda:N": the given name, the GPU's or the CPU's."""
    return machine.name or hardware_name(machine, device)


def hardware_name(machine: Machine, device: str) -> str:
    """Return the GPU's or the CPU's own name, whatever the machine was named."""
    named = Device.parse(device)
    if named.is_gpu:
        return next((gpu.name for gpu in machine.gpus if gpu.index == named.index), device)
    return machine.cpu or device


def _machine_labels(
    identities: Sequence[_Identity], hardware: dict[_Identity, Machine]
) -> dict[_Identity, str]:
    by_name: dict[str, list[_Identity]] = defaultdict(list)
    for identity in dict.fromkeys(identities):
        by_name[identity[2]].append(identity)
    labels: dict[_Identity, str] = {}
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


def _made_unique(labels: dict[_Identity, str]) -> dict[_Identity, str]:
    seen: dict[str, int] = {}
    unique = {}
    for identity, label in labels.items():
        seen[label] = seen.get(label, 0) + 1
        unique[identity] = label if seen[label] == 1 else f"{label} #{seen[label]}"
    return unique


def _model_labels(raw: Sequence[_Raw]) -> dict[tuple[str, str], str]:
    """Name a model by its input shapes, or its hash, where one machine measured two of the same name."""
    contents: dict[tuple[_Identity, Cell], set[str]] = defaultdict(set)
    shapes: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in raw:
        contents[entry.identity, entry.cell].add(entry.model_hash)
        shapes[entry.cell.model][entry.model_hash] = entry.shapes
    ambiguous = {cell.model for (_, cell), hashes in contents.items() if len(hashes) > 1}
    labels = {}
    for entry in raw:
        name, known = entry.cell.model, list(shapes[entry.cell.model].values())
        telling = entry.shapes if known.count(entry.shapes) == 1 else ""
        which = f"{name} ({telling or entry.model_hash[:8] or 'unknown content'})"
        labels[name, entry.model_hash] = which if name in ambiguous else name
    return labels


def _row_labels(raw: Sequence[_Raw]) -> dict[tuple[str, str, _Facts], str]:
    """Name a row by its framework; add version, precision or threads where the framework alone does not tell."""
    facts: dict[tuple[_Identity, Cell, str], set[_Facts]] = defaultdict(set)
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


def _finish(raw: _Raw, machine: str, model: str, row: str) -> Pool:
    kept = _records(raw)
    records = tuple(kept)
    status, cause, flags = _verdict(records, raw.skips)
    keys = (key for key, _, _ in raw.places)
    good = tuple((key, record) for key, record in zip(keys, records, strict=True) if record.status == "ok")
    cell = raw.cell
    return Pool(
        key="/".join((machine, model, row, str(cell.batch_size), cell.device, cell.mode)),
        cell=cell,
        row=row,
        machine=machine,
        model=model,
        model_hash=raw.model_hash,
        hardware=raw.hardware,
        paths=tuple(raw.paths),
        records=kept,
        good=good,
        status=status,
        cause=cause,
        flags=flags,
    )


def _records(raw: _Raw) -> Sequence[Record]:
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
