"""Other people's CSV files as runs: the study's raw directories and long tables.

Nothing is dropped silently: every file and row that could not be used is named with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inferometer.device import Device
from inferometer.errors import UsageError
from inferometer.importing import csvfile, ema, longcsv, raw
from inferometer.importing.csvfile import Log
from inferometer.importing.places import MODEL, Options
from inferometer.records import ROUNDS_LIMIT, Gpu, Machine, ModelInfo, Protocol, Record, RunInfo
from inferometer.storage.destinations import destinations
from inferometer.storage.run_directory import RunWriter
from inferometer.version import __version__

MAX_DEPTH = 4


@dataclass(frozen=True)
class Request:
    """What to import and what to assume where the files do not say."""

    paths: tuple[Path, ...]
    gpu: str = ""  # "": from the files
    variant: str | None = None  # py or nb; None: py where there are both
    prefix: str | None = None  # of the loop files' framework names
    model: str = ""  # "": from the files, else the study's, and said
    precision: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """One run a machine, and what could not be used."""

    runs: tuple[tuple[RunInfo, tuple[Record, ...]], ...]
    problems: tuple[str, ...]
    skipped: tuple[str, ...]
    assumed: tuple[str, ...] = ()


def read(request: Request, command: str = "") -> Imported:
    """Read the files of ``request``; UsageError if none of them holds a single cell."""
    log = Log()
    files = _files(request.paths, log)
    machines: dict[str, list[Record]] = defaultdict(list)
    options = Options(request.gpu, request.model, request.precision)
    rest = _read_raw(files, request, options, machines, log)
    _read_long(rest, request, options, machines, log)
    if not any(machines.values()):
        reasons = [*log.problems, *log.skipped]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        hint = f": {reasons[0]}{more}" if reasons else ""
        raise UsageError(f"nothing to import in {', '.join(map(str, request.paths))}{hint}")
    options.check()
    runs = tuple(
        (_info(name, found, request, command, log), tuple(found)) for name, found in machines.items() if found
    )
    return Imported(runs, tuple(log.problems), tuple(log.skipped), tuple(log.assumed))


def write(imported: Imported, out: Path) -> tuple[Path, ...]:
    """Write the runs where `destinations` says."""
    paths = tuple(destinations([info for info, _ in imported.runs], out))
    for path, (info, found) in zip(paths, imported.runs, strict=True):
        writer = RunWriter.create(path, info)
        for record in found:
            writer.append(record)
    return paths


def _files(paths: Sequence[Path], log: Log) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path, MAX_DEPTH, log)))
        elif path.exists():
            found[path] = None
        else:
            raise UsageError(f"{path} does not exist")
    return list(found)


def _below(path: Path, depth: int, log: Log) -> list[Path]:
    try:
        children = [(child, child.is_dir()) for child in sorted(path.iterdir())]
    except OSError as error:
        log.skip(path, f"cannot be read: {error.strerror or error}")
        return []
    files = []
    for child, is_folder in children:
        if child.name.startswith("."):
            continue
        if is_folder:
            files += _below(child, depth - 1, log) if depth else []
        else:
            files.append(child)
    return files


def _read_raw(
    files: list[Path], request: Request, options: Options, machines: dict[str, list[Record]], log: Log
) -> list[Path]:
    """Read loop and EMA files; return the files that are neither."""
    loops = [file for path in files if (file := raw.recognise(path))]
    rest = [path for path in files if raw.recognise(path) is None]
    metered, rest = _split_ema(rest, log)
    if not loops:
        _refuse_choices(request)
        for path in metered:
            log.skip(path, "EMA's regions, but no file of loops with them")
        return rest
    chosen = raw.choose(loops, request.variant, request.prefix, log)
    variant = next((f.variant for f in chosen if f.variant), request.variant or "")
    records = raw.read_loops(chosen, request.model or MODEL, log)
    readings = [found for path in metered if (found := _guarded_ema(path, log))]
    machines_name = request.gpu or _worker_name(readings)
    if records and not machines_name:
        raise UsageError("which machine do these loops come from? give --gpu NAME (no EMA file names one)")
    records = raw.add_energy(records, readings, variant, log)
    machines[machines_name] += list(records.values())
    options.used |= {"gpu", "model"}
    for record in records.values():
        options.choose("precision", record.cell.precision)
    return rest


def _refuse_choices(request: Request) -> None:
    """Raise UsageError for an option that chooses among files of loops, where there are none."""
    for name, value in (("variant", request.variant), ("prefix", request.prefix)):
        if value is not None:
            where = ", ".join(map(str, request.paths))
            raise UsageError(f"--{name} {value} chooses among files of loops; {where} has none: leave it out")


def _guarded_ema(path: Path, log: Log) -> ema.Readings | None:
    try:
        return ema.read_ema(path, log)
    except UsageError as error:
        log.problems.append(str(error))
        return None


def _worker_name(readings: Sequence[ema.Readings]) -> str:
    workers = {worker.name for found in readings if (worker := found.worker)}
    if len(workers) > 1:
        raise UsageError(
            f"EMA's files name several devices that worked ({', '.join(sorted(workers))}): give --gpu NAME"
        )
    return next(iter(workers), "")


def _split_ema(files: list[Path], log: Log) -> tuple[list[Path], list[Path]]:
    metered: list[Path] = []
    rest: list[Path] = []
    for path in files:
        if path.suffix.lower() not in (".csv", ".tsv", ".txt") and not path.name.startswith("output.EMA."):
            log.skip(path, "no CSV file")
            continue
        try:
            columns = csvfile.header(path)
        except UsageError as error:
            log.skipped.append(str(error))
            continue
        (metered if ema.is_ema(columns) else rest).append(path)
    return metered, rest


def _read_long(
    files: list[Path], request: Request, options: Options, machines: dict[str, list[Record]], log: Log
) -> None:
    table: longcsv.Table = {}
    raw_found = any(machines.values())
    if request.mapping and not files:
        raise UsageError("--map names columns of a long table, and there is none here: leave it out")
    for path in files:
        columns = csvfile.header(path)
        if raw_found and not longcsv.names_machine(columns, request.mapping):
            log.skip(path, "a table beside raw loops that names no gpu: import it by itself if it is wanted")
            continue
        absent = sorted(set(request.mapping.values()) - set(columns))
        if absent:
            log.skip(path, f"has no column {absent[0]!r} that --map names")
        elif not longcsv.read_table(path, request.mapping, options, table, log):
            shown = ", ".join(columns[:8])
            log.skip(
                path,
                f"columns {shown[:200]}: neither loops, EMA regions nor a long table (batch_size, framework, a quantity)",
            )
    for name, cells in table.items():
        machines[name] += longcsv.records(cells)


def _info(name: str, found: list[Record], request: Request, command: str, log: Log) -> RunInfo:
    devices = {
        d.device_name: None for r in found if r.energy for d in r.energy.devices if d.device_type == "gpu"
    }
    primary = next((r.energy for r in found if r.energy and r.energy.primary), None)
    worked = (
        next((d.device_name for d in primary.devices if d.device_uid == primary.primary), "")
        if primary
        else ""
    )
    kinds = sorted({Device.parse(r.cell.device) for r in found})
    gpus = tuple(Gpu(d.index, "", worked or next(iter(devices), name)) for d in kinds if d.is_gpu)
    cells = tuple(dict.fromkeys(r.cell for r in found))
    loops = [len(r.loops) for r in found if r.loops]
    last_round = max(r.round for r in found)
    if last_round >= ROUNDS_LIMIT:
        raise UsageError(
            f"round {last_round} is too large: at most {ROUNDS_LIMIT - 1}; map a column that counts rounds"
        )
    return RunInfo(
        tool=__version__,
        source="imported",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        model=ModelInfo(name=", ".join(dict.fromkeys(cell.model for cell in cells))),
        protocol=Protocol(
            images=max((r.images for r in found), default=0) or 512,
            loops=max(loops, default=0),
            rounds=1 + last_round,
        ),
        machine=Machine(name=name, cpu="" if len(gpus) == len(kinds) else name, gpus=gpus),
        cells=cells,
        notes=(
            "imported: precision and placement are as the files name them, not read back",
            *(f"left out: {line}" for line in log.problems),
            *(f"skipped: {line}" for line in log.skipped),
            *(f"assumed: {line}" for line in log.assumed),
        ),
    )
