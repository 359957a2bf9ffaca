"""The tables of a big page, made by a process beside this one while it makes the rest.

The child is `python -m inferometer.report.page.beside RUN [REFERENCE]`: it reads the summaries that are kept beside the run, as soon as
they are, and is told metric after metric. What it does not answer, since it could not start or was killed, is made here.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec

from inferometer.host.machine import usable_cores
from inferometer.report.figures.colours import palette_of
from inferometer.report.figures.palette import Palette
from inferometer.report.page.tables import TableView, Views, by_section, names, views_of
from inferometer.results import summary_cache
from inferometer.results.cells import Results
from inferometer.results.children import Child, children, heard, received, send, taken, tell
from inferometer.storage.collector import no_collection
from inferometer.threads import in_thread

WORTH_CELLS = 1500  # the tables of fewer are made in the time that a child takes to start
_LOOK_S = 0.05

Sections = list[list[TableView]]  # of each section of the results, its tables


@contextlib.contextmanager
def tables_beside(
    results: Results, palette: Palette, reference: str | None = None
) -> Iterator[Callable[[], Sections]]:
    """Yield what returns the tables of all sections: those that a child has not made by then are made here.

    ``results``: all that one run directory holds, as it was read; of others the child makes nothing.
    """
    making = _Making(results, palette, reference)
    if len(results.runs) != 1 or len(results.summaries) < WORTH_CELLS or usable_cores() < 2:
        yield making.here
        return
    with contextlib.ExitStack() as threads, contextlib.closing(making):
        beside = in_thread(threads, making.beside, results.runs[0].path)
        yield making.here if beside is None else lambda: making.together(beside)


class _Making:
    """Metrics whose tables are to be made, and those made."""

    def __init__(self, results: Results, palette: Palette, reference: str | None) -> None:
        self._results, self._palette, self._reference = results, palette, reference
        self._left = deque(names())
        self._found: dict[str, Views] = {}
        self._needed = threading.Event()
        self._child: Child | None = None

    def here(self) -> Sections:
        """Make what is left in this process."""
        self._make()
        return by_section(self._results, self._found)

    def together(self, beside: Future[None]) -> Sections:
        """Make what is left here and in the child."""
        self._needed.set()
        self._make()
        beside.result()
        return self.here()  # what the child handed back

    def _make(self) -> None:
        for name in taken(self._left):
            self._found[name] = views_of(name, self._results, self._palette, self._reference)

    def beside(self, run: Path) -> None:
        """Have a child make tables until none are left, or it does not answer."""
        while not (run / summary_cache.CACHE_FILE).exists():
            if self._needed.wait(_LOOK_S):
                return
        words = [str(run), *([self._reference] if self._reference is not None else [])]
        with children(__name__, words, 1) as found:
            for self._child in found:
                if self._left and heard(self._child) == _state_of(self._results):
                    self._told(self._child)

    def _told(self, child: Child) -> None:
        for name in taken(self._left):
            answer = heard(child) if tell(child, name.encode()) else None
            try:
                self._found[name] = msgspec.msgpack.decode(answer or b"", type=Views)
            except msgspec.MsgspecError:
                self._left.append(name)
                return

    def close(self) -> None:
        """Make no more."""
        self._left.clear()
        self._needed.set()
        if self._child:
            self._child.kill()


def _state_of(results: Results) -> bytes:
    """Return by what a child knows that it read what this process did."""
    figures = [(s.key, s.status, s.rounds, s.throughput) for s in results.summaries]
    return hashlib.sha256(msgspec.msgpack.encode(figures)).digest()


def _main(run: str, reference: str | None = None) -> int:
    with contextlib.suppress(OSError, EOFError), no_collection():
        results = summary_cache.load(Path(run))
        if results is None:
            return 1
        palette = palette_of(results)
        send(sys.stdout.buffer, _state_of(results))
        while True:
            found = views_of(received(sys.stdin.buffer).decode(), results, palette, reference)
            send(sys.stdout.buffer, msgspec.msgpack.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
