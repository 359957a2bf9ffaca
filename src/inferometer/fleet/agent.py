"""What serves a run on a node, inside Ray: takes what is sent, lets a process of its own measure, and gives what that has written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inferometer.fleet import goods
from inferometer.fleet.process import Process
from inferometer.planning.given_files import placed
from inferometer.planning.request import from_builtins, to_builtins
from inferometer.storage.build import mark_used
from inferometer.storage.cache import cache_folder
from inferometer.storage.durable import written
from inferometer.storage.evaluations import EVALUATIONS_FILE, files_named
from inferometer.storage.find import FLEET_FILE
from inferometer.storage.run_directory import CELLS_FILE, LOCK_FILE, RUN_FILE
from inferometer.storage.scenarios import SCENARIOS_FILE

EVENTS, REQUEST, LOG = "events.jsonl", "request.json", "child.log"
INTERRUPTED = 130  # the exit status of a run
RECORDS = (CELLS_FILE, EVALUATIONS_FILE, SCENARIOS_FILE)  # which grow by a line as each ends
_MOST_BYTES = 8 * 2**20  # of records, or of small files, in one answer
_MOST_FILE_BYTES = 256 * 2**20  # a larger file stays on its node
_EVENT_BYTES = 16_384  # more than a line of what goes on has
_LITTLE_BYTES = 64 * 2**20  # of a disk: what is written may not fit
_MOST_WORDS = 400


def given(key: str, name: str) -> Iterator[bytes]:
    """Yield a file of the user's that was sent here, as an archive, piece by piece; nothing where it is not here."""
    path = goods.placed_at(key, name)
    if path.exists():
        yield from goods.Good(path, goods.GIVEN, key).chunks()


class Agent:
    """A node's part of one run, which a process of its own measures."""

    def __init__(self, name: str, slug: str, process: Process) -> None:
        self._folder = cache_folder("fleet", name, slug)
        mark_used(self._folder)  # also one that is gone on with after months
        self._run = self._folder / "run"
        self._process = process
        self._incoming: dict[str, goods.Incoming] = {}
        self._logged_before = 0  # bytes of the log that are an earlier session's

    def lacking(self, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return which of (folder of the cache, key) are not here; the others count as asked for now."""
        return [(place, key) for place, key in wanted if not goods.is_here(place, key)]

    def receive(self, place: str, key: str, name: str, number: int, chunk: bytes) -> None:
        """Take a piece of what was lacking."""
        if number == 0:
            self._incoming[key] = goods.Incoming(place, key, name)
        self._incoming[key].add(chunk)

    def finish(self, key: str, digest: str) -> None:
        """Unpack what has arrived whole."""
        self._incoming.pop(key).finish(digest)

    def start(
        self, request: dict[str, Any], files: dict[str, tuple[str, str]], fleet: dict[str, Any]
    ) -> None:
        """Begin to measure, or go on where this node holds a part; ``files``: path as asked -> key and name here."""
        places = {Path(path): goods.placed_at(key, name) for path, (key, name) in files.items()}
        asked = placed(from_builtins(request), places)
        # whole or as before: a disk that fills up now makes the node forget no part that it keeps
        for name, facts in ((FLEET_FILE, fleet), (REQUEST, to_builtins(asked))):
            with written(self._folder / name) as file:
                file.write(json.dumps(facts).encode())
        (self._folder / EVENTS).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._logged_before = (self._folder / LOG).stat().st_size
        self._process.measure(self._folder)

    def poll(self, info_at: int, offsets: Mapping[str, int], within_s: float) -> dict[str, Any]:
        """Return what is new: run.json if it was written since ``info_at`` (ns), records from a byte of each file on, what goes on.

        Evaluations bring the files that they name. It takes so many seconds, less where the run ends meanwhile.
        """
        self._process.await_end(within_s)
        status = self._process.status()  # first: what is read below is then all there is
        event = self._event()
        lines = {name: self._lines(name, offsets.get(name, 0)) for name in RECORDS}
        answer: dict[str, Any] = {
            "status": status,
            "info": None,
            "info_at": info_at,
            "lines": lines,
            "files": self._small(files_named(lines[EVALUATIONS_FILE])),
            "event": event | self._died(status, event),
            "more": any(lines.values()),
        }
        with contextlib.suppress(OSError):
            changed = (self._run / RUN_FILE).stat().st_mtime_ns
            if changed != info_at:
                answer |= {"info": (self._run / RUN_FILE).read_bytes(), "info_at": changed}
        return answer

    def files(self, first: int) -> dict[str, Any]:
        """Return some of what a finished run holds besides its records, beginning with number ``first``: logs, answers on the user's data.

        "next" is the number to go on with, None at the end; "left_out" names those that are too large to travel.
        """
        paths = [path for path in sorted(self._run.rglob("*")) if path.is_file() and self._is_other(path)]
        found: list[tuple[str, bytes]] = []
        left_out, taken = [], 0
        for number, path in enumerate(paths[first:], first):
            name, size = path.relative_to(self._run).as_posix(), path.stat().st_size
            if size >= _MOST_FILE_BYTES:
                left_out.append(f"{name} ({size / 2**20:.0f} MiB)")
                continue
            taken += size
            if found and taken > _MOST_BYTES:
                return {"files": found, "left_out": left_out, "next": number}
            found.append((name, path.read_bytes()))
        return {"files": found, "left_out": left_out, "next": None}

    def _is_other(self, path: Path) -> bool:
        return path.relative_to(self._run).as_posix() not in (RUN_FILE, LOCK_FILE, *RECORDS)

    def _lines(self, name: str, offset: int) -> bytes:
        """Return whole lines of a file of records from a byte on, none where it is not there; OSError where it cannot be read."""
        with contextlib.suppress(FileNotFoundError), (self._run / name).open("rb") as file:
            file.seek(offset)
            return _whole_lines(file)
        return b""

    def _small(self, names: Iterable[str]) -> list[tuple[str, bytes]]:
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                found.append((name, (self._run / name).read_bytes()))
        return found

    def stop(self) -> None:
        """Interrupt the run; what has been measured is kept."""
        self._process.interrupt()

    def _died(self, status: int | None, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return why a run ended that could not say it itself: an error of ours, a full disk, or it was killed."""
        if not status or status == INTERRUPTED or "error" in event:
            return {}
        if words := self._process.last_words():
            return {"error": words}
        logged, room = self._last_logged(), self._little_room()
        where = f"more in {self._folder / LOG} there" if logged else ""
        causes = "; ".join(filter(None, (logged, room, where)))
        return {"error": f"its run left with status {status}{causes and ': '}{causes}"}

    def _last_logged(self) -> str:
        """Return the last line that the process has written of errors, "" for none."""
        with contextlib.suppress(OSError, IndexError), (self._folder / LOG).open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - _EVENT_BYTES, min(self._logged_before, end)))
            return file.read().decode(errors="replace").strip().splitlines()[-1][:_MOST_WORDS]
        return ""

    def _little_room(self) -> str:
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._folder).free
            return f"{free / 2**20:.0f} MiB are free for its cache" if free < _LITTLE_BYTES else ""
        return ""

    def _event(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, IndexError), (self._folder / EVENTS).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _EVENT_BYTES, 0))
            return dict(json.loads(file.read().splitlines()[-1]))
        return {}


def _whole_lines(file: BinaryIO) -> bytes:
    data = file.read(_MOST_BYTES)
    whole = data[: data.rfind(b"\n") + 1]
    return whole or (data + file.readline() if len(data) == _MOST_BYTES else b"")
