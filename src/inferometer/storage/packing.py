"""A run directory as one file, to keep or to publish."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.errors import StoreError, UsageError
from inferometer.redaction import redacted_bytes
from inferometer.storage.anonymous import Anonymous
from inferometer.storage.durable import written
from inferometer.storage.evaluations import EVALUATIONS_FILE
from inferometer.storage.evaluations import FOLDER as ACCURACY_FOLDER
from inferometer.storage.lines import cannot_write
from inferometer.storage.regular import bytes_of
from inferometer.storage.run_directory import CELLS_FILE, RUN_FILE, read_run
from inferometer.storage.scenarios import SCENARIOS_FILE
from inferometer.storage.temporary import HELD_MEANWHILE

SUFFIX = ".tar.gz"
_LINES = (CELLS_FILE, EVALUATIONS_FILE, SCENARIOS_FILE)
_ANONYMOUS_NAME = "run"


def pack(run: Path, out: Path, *, anonymous: bool = False) -> int:
    """Write the run directory ``run`` as one archive and return how many files it holds; StoreError if either will not do.

    Passwords in addresses are left out. ``anonymous``: so are host name, user, paths, private addresses and the serial numbers of
    cards, the logs and reports, which are full of them, and who packed it when.
    """
    if out.exists():
        raise UsageError(f"{out} exists; give another --out")
    read_run(run)  # what is damaged is told, not published
    files = dict(_anonymous(run) if anonymous else _whole(run))
    try:
        with written(out, out.with_name(f"{out.name}.partial")) as file:
            _write(file, files, _ANONYMOUS_NAME if anonymous else run.resolve().name)
    except OSError as error:
        raise cannot_write(out, error) from error
    return len(files)


def _write(file: Any, files: dict[str, bytes], name: str) -> None:
    with (
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")  # no owner, no time
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _whole(run: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        left_out = name.parts[0] in HELD_MEANWHILE or name.parts[0].startswith(".")  # caches and locks
        if path.is_file() and not path.is_symlink() and not left_out:
            content = _read(path)
            yield name.as_posix(), content if path.suffix == ".npz" else redacted_bytes(content)


def _anonymous(run: Path) -> Iterator[tuple[str, bytes]]:
    info = json.loads(_read(run / RUN_FILE))
    anonymous = Anonymous(info)
    yield RUN_FILE, json.dumps(anonymous.info(info), indent=1, ensure_ascii=False).encode() + b"\n"
    for name in _LINES:
        if (run / name).exists():
            yield name, b"".join(_anonymous_lines(run / name, anonymous))
    for path in sorted((run / ACCURACY_FOLDER).glob("*.npz")):
        yield f"{ACCURACY_FOLDER}/{path.name}", _read(path)


def _anonymous_lines(path: Path, anonymous: Anonymous) -> Iterator[bytes]:
    for line in _read(path).split(b"\n")[:-1]:
        if line.strip():
            yield json.dumps(anonymous.value(json.loads(line)), ensure_ascii=False).encode() + b"\n"


def _read(path: Path) -> bytes:
    try:
        return bytes_of(path)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
