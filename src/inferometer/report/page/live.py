"""A folder of runs as a page that keeps up with them: what changed is read again, nothing else."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from inferometer.errors import InferometerError
from inferometer.report.page.html import render_live
from inferometer.results.cells import Results
from inferometer.results.summary import summarise
from inferometer.storage.evaluations import EVALUATIONS_FILE
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import CELLS_FILE, RUN_FILE, StoredRun, read_run
from inferometer.storage.scenarios import SCENARIOS_FILE

_Stamp = tuple[tuple[int, int], ...]  # sizes and times of change of a run's files
_FILES = (RUN_FILE, CELLS_FILE, EVALUATIONS_FILE, SCENARIOS_FILE)  # that are written while it is measured


@dataclass(frozen=True)
class LivePage:
    """The folder at one moment: a tag that changes whenever it does, and both forms of its report."""

    tag: str
    page: bytes
    body: bytes


class LiveFolder:
    """Renders the runs below ``folder``; safe to ask from several threads."""

    def __init__(self, folder: Path, title: str = "") -> None:
        self.folder = folder
        self.title = title
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[_Stamp, StoredRun | str]] = {}
        self._snapshot: LivePage | None = None

    def snapshot(self) -> LivePage:
        """Return the report of the folder as it is now; the last one where nothing changed."""
        with self._lock:
            notices: list[str] = []
            stamps = {run: _stamp(run) for run in find_runs(self.folder, notice=notices.append)}
            tag = _tag(stamps, notices)
            if self._snapshot is None or self._snapshot.tag != tag:
                self._snapshot = self._render(tag, stamps, notices)
            return self._snapshot

    def _render(self, tag: str, stamps: dict[Path, _Stamp], unread: list[str]) -> LivePage:
        self._read = {run: self._known(run, stamp) for run, stamp in stamps.items()}
        runs = [run for _, run in self._read.values() if isinstance(run, StoredRun)]
        notices = [*unread, *(note for _, note in self._read.values() if isinstance(note, str))]
        if not stamps:
            notices.append(
                f"No run in {self.folder} yet. Start one with: inferometer run --out {self.folder / 'first'}"
            )
        results = _results(runs, notices)
        page, body = render_live(results, title=self.title, notices=notices, live_tag=tag)
        return LivePage(tag, page.encode(), body.encode())

    def _known(self, run: Path, stamp: _Stamp) -> tuple[_Stamp, StoredRun | str]:
        known = self._read.get(run)
        if known and known[0] == stamp:
            return known
        try:
            return stamp, read_run(run)
        except InferometerError as error:
            return stamp, f"Left out: {error}"


def _results(runs: list[StoredRun], notices: list[str]) -> Results:
    try:
        return summarise(runs)
    except InferometerError as error:
        notices.append(str(error))
        return summarise([])


def _stamp(run: Path) -> _Stamp:
    return tuple(_file_stamp(run / name) for name in _FILES)


def _file_stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:  # between two looks at a folder anything may go
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _tag(stamps: dict[Path, _Stamp], notices: list[str]) -> str:
    text = repr((sorted((str(run), stamp) for run, stamp in stamps.items()), notices))
    return f'"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'
