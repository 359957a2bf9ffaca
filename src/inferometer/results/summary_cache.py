"""The summaries of a big run, kept beside it so that it opens at once: `.summaries.parquet` in the run directory.

Keyed by the content of the run's files and of the code that summarises, both hashed on every reading: a cache with another key is not
used, whatever its age. It may be deleted at any time, is no part of a run (nothing copies it), and is left out where the directory
cannot be written or DuckDB is not installed. A row a cell: its coordinates, marks, and each metric with its interval, to be queried; and all
that a summary holds besides its marks (MessagePack), to be read back.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from inferometer.records import Machine, Record
from inferometer.results.cells import CellSummary, Results
from inferometer.results.packed import Packed, unpack
from inferometer.storage.collector import no_collection
from inferometer.storage.evaluations import EVALUATIONS_FILE
from inferometer.storage.regular import opened
from inferometer.storage.run_directory import (
    CELLS_FILE,
    RUN_FILE,
    StoredRun,
    read_info,
)
from inferometer.storage.scenarios import read_scenarios
from inferometer.storage.stored_records import StoredRecords

CACHE_FILE = ".summaries.parquet"
WORTH_BYTES = 8_000_000  # of cells.jsonl: less is summarised in the time that it takes to open a cache
_PIECE_BYTES = 1 << 22
_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = (
    "results",
    "records",
    "flags",
    "storage",
    "quantiles.py",
    "device.py",
    "units.py",
    "escapes.py",
    "redaction.py",
)
_KEY = "inferometer_content"
_MARKS = ("best", "tie", "judged", "best_overall")  # which no summary has of its own


class _WholeRun(StoredRun):
    """A run of which nothing is missing, as is known without its records."""

    @functools.cached_property
    def missing(self) -> tuple[()]:
        """Return nothing."""
        return ()


def is_worth_it(run: Path) -> bool:
    """Return whether a run is so big that its summaries are kept; one with a data set is not, whose answers lie in other files."""
    try:
        big = (run / CELLS_FILE).stat().st_size >= WORTH_BYTES
    except OSError:
        return False
    return big and not (run / EVALUATIONS_FILE).exists()


def load(run: Path) -> Results | None:
    """Return the results of a run from its cache; None where there is none that is of this content, and then none is left there."""
    target = run / CACHE_FILE
    if not target.is_file() or (duckdb := _duckdb()) is None:
        return None
    found = _loaded(run, target, duckdb)
    if found is None:
        with contextlib.suppress(OSError):
            target.unlink()  # so that whoever waits for the next one sees when it is there
    return found


def _loaded(run: Path, target: Path, duckdb: Any) -> Results | None:
    try:
        with duckdb.connect() as connection:
            keys = connection.execute(
                "SELECT value FROM parquet_kv_metadata(?) WHERE key = ?", [str(target), _KEY]
            ).fetchall()
            if keys != [(content_of(run).encode(),)]:
                return None
            columns = ", ".join(("inferometer", *_MARKS))
            found = connection.execute(f"SELECT {columns} FROM read_parquet(?)", [str(target)]).fetchall()
        with no_collection():
            marks = (dict(zip(_MARKS, own, strict=True)) for _, *own in found)
            return _results(run, unpack((packed for packed, *_ in found), run, marks))
    except (duckdb.Error, msgspec.MsgspecError, OSError):  # damaged, or unreadable: it is computed again
        return None


def _results(run: Path, summaries: Sequence[CellSummary]) -> Results:
    info = read_info(run)
    of_each = (s.records.offsets for s in summaries if isinstance(s.records, StoredRecords))
    everything = StoredRecords(run / CELLS_FILE, sorted(offset for offsets in of_each for offset in offsets))
    machines: dict[str, Machine] = dict.fromkeys((s.machine for s in summaries), info.machine)
    return Results(
        tuple(summaries), (_WholeRun(run, info, everything, scenarios=read_scenarios(run)),), machines
    )


def store(results: Results, packed: Packed) -> None:
    """Keep the results of one whole run, packed but for their marks, beside it; nothing where a measurement is missing or it cannot be written."""
    prepare(results, packed)()


def prepare(results: Results, packed: Packed) -> Callable[[], None]:
    """Return what `store` does once all that takes Python, or opens many files, is done: a thread that does it hardly holds up another."""
    (run,) = results.runs
    with contextlib.suppress(OSError):
        whole = _is_all_of_its_file(run.records) and not run.missing
        if whole and os.access(run.path, os.W_OK) and (duckdb := _duckdb()):
            _code()
            return functools.partial(_write, duckdb, _columns(results, packed), run)
    return lambda: None


def _is_all_of_its_file(records: Sequence[Record]) -> bool:
    """Return whether records are of a file that did not grow meanwhile."""
    return isinstance(records, StoredRecords) and records.file.stat().st_size == records.size_bytes


def _write(duckdb: Any, columns: dict[str, Any], run: StoredRun) -> None:
    target, temporary = run.path / CACHE_FILE, run.path / f"{CACHE_FILE}.{os.getpid()}"
    with contextlib.suppress(duckdb.Error, OSError):
        content = content_of(run.path)
        if not _is_all_of_its_file(
            run.records
        ):  # the summaries would be kept as those of what was added meanwhile
            return
        try:
            with duckdb.connect() as connection:
                connection.register("cells", columns)
                connection.execute(
                    f"COPY (SELECT * FROM cells) TO '{_quoted(temporary)}' "
                    f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{_KEY}: '{content}'}})"
                )
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _columns(results: Results, packed: Packed) -> dict[str, Any]:
    """Return a column a coordinate, a mark, a metric and an end of its interval, and the whole summaries."""
    import numpy as np

    cells = [summary.cell for summary in results.summaries]
    columns: dict[str, Any] = {
        name: np.array([getattr(cell, name) for cell in cells])
        for name in ("model", "framework", "precision", "batch_size", "device", "mode")
    }
    columns |= {
        name: np.array([getattr(summary, name) for summary in results.summaries])
        for name in ("machine", "status", "cause", "rounds", *_MARKS)
    }
    for name, (values, low, high) in packed.by_metric().items():
        columns |= {name: values, f"{name}_low": low, f"{name}_high": high}
    return columns | {"inferometer": np.array([*packed.summaries, None], dtype=object)[:-1]}


def content_of(run: Path) -> str:
    """Return the hash of a run's files and of the code that summarises them."""
    digest = hashlib.sha256(_code().encode())
    for name in (RUN_FILE, CELLS_FILE):
        digest.update(_digest_of(run / name))
    return digest.hexdigest()


def _digest_of(path: Path) -> bytes:
    """Return the hash of a file, read in few pieces: a thread may wait for the interpreter before and after each."""
    digest, piece = hashlib.sha256(), memoryview(bytearray(min(_PIECE_BYTES, path.stat().st_size + 1)))
    with opened(path) as file:
        while count := file.readinto(piece):
            digest.update(piece[:count])
    return digest.digest()


@functools.cache
def _code() -> str:
    digest = hashlib.sha256()
    for name in _CODE:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        return None
    return duckdb
