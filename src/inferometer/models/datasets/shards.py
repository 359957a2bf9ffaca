"""A data set as shards of rows in a folder of the run: decoded and cut once, whatever the number of frameworks."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer import units
from inferometer.errors import StoreError, UsageError, to_write_again
from inferometer.models.artifact_cache import hash_file
from inferometer.models.datasets.decoding import pixels
from inferometer.models.datasets.found import Images
from inferometer.models.datasets.preprocessing import Preprocessing
from inferometer.records import DatasetInfo

MOST_ROWS = 1024  # of a shard, which a worker answers within the time limit of a cell
_MOST_BYTES = 64 << 20
_THREADS = 8


@dataclass(frozen=True)
class Shard:
    """Some rows, a file an input, and what outputs should be where there are no classes."""

    rows: tuple[Path, ...]
    count: int
    targets: Path | None = None


@dataclass(frozen=True)
class Shards:
    """A data set ready for workers."""

    info: DatasetInfo
    parts: tuple[Shard, ...]
    labels: Any = None  # (rows,) class numbers; None where answers are values
    affine: Mapping[str, Any] | None = (
        None  # what is left to the worker (`Preprocessing.affine`); None: nothing
    )
    layout: str = ""  # of 4-D rows


@dataclass(frozen=True)
class Scores:
    """The output that gives class scores."""

    classes: int
    output: int = 0  # its place
    outputs: int = 1  # of so many


def rows_a_shard(row_bytes: int) -> int:
    """Return how many rows a shard holds."""
    return max(1, min(MOST_ROWS, _MOST_BYTES // max(1, row_bytes)))


def check_space(folder: Path, wanted: int, path: Path) -> None:
    """Raise UsageError where the shards would not fit on the disk."""
    free = shutil.disk_usage(folder).free
    if wanted * 1.02 + (16 << 20) > free:
        raise UsageError(
            f"data set {path} takes {units.size(wanted)} as rows, {units.size(free)} are free in {folder}: free space or give "
            "another --out"
        )


def save(path: Path, array: Any) -> Path:
    """Write an array and bring it to disk now: writing it back later would disturb what is timed."""
    try:
        with path.open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; {to_write_again(error, 'give another --out')}"
        ) from error
    return path


def of_images(
    found: Images,
    wanted: Preprocessing,
    scores: Scores,
    folder: Path,
    progress: Callable[[str], None],
) -> Shards:
    """Decode all images into ``folder``; UsageError (one line) for the first that cannot be."""
    found.check(scores.classes)
    row_bytes = wanted.height * wanted.width * wanted.channels
    check_space(folder, row_bytes * len(found.files), found.path)
    digest, parts = hashlib.sha256(), list[Shard]()
    count = rows_a_shard(row_bytes)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for start in range(0, len(found.files), count):
            files = found.files[start : start + count]
            progress(f"data set: {start:,} of {len(found.files):,} images")
            hashes, arrays = zip(*pool.map(lambda file: _decoded(file, wanted), files), strict=True)
            for content, label in zip(hashes, found.labels[start : start + count], strict=True):
                digest.update(f"{content} {label}\n".encode())
            rows = save(folder / f"rows-{len(parts):05d}.npy", np.stack(arrays))
            parts.append(Shard((rows,), len(files)))
    info = DatasetInfo(
        path=str(found.path),
        hash=digest.hexdigest(),
        rows=len(found.files),
        classes=scores.classes,
        output=scores.output,
        outputs=scores.outputs,
        labels=found.classes,
        labels_hash=_hash_of(found.classes),
        preprocessing=wanted.facts,
    )
    return Shards(info, tuple(parts), np.asarray(found.labels), affine=wanted.affine, layout="NHWC")


def _decoded(file: Path, wanted: Preprocessing) -> tuple[str, Any]:
    try:
        return hash_file(file), pixels(file, wanted)
    except OSError as error:
        raise UsageError(f"cannot read image {file}: {error.strerror or error}") from error


def _hash_of(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest() if names else ""


def in_parts(inputs: Sequence[Iterator[Any]], targets: Iterator[Any] | None, folder: Path) -> Iterator[Shard]:
    """Write parts of arrays, each already cast, as shards."""
    for number, arrays in enumerate(zip(*inputs, strict=True)):
        rows = tuple(
            save(folder / f"rows-{number:05d}-{place}.npy", array) for place, array in enumerate(arrays)
        )
        wanted = None if targets is None else save(folder / f"targets-{number:05d}.npy", next(targets))
        yield Shard(rows, len(arrays[0]), wanted)
