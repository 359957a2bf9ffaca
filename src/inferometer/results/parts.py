"""A big run summarised by as many processes as there are cores.

One finds out where the records lie and deals the cells out, some at a time, to whoever is free: itself and its children. A child is
`python -m inferometer.results.parts RUN`, told cells on its standard input and answering on its standard output. What it does not answer,
since it could not start or was killed, is computed here.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import msgspec

from inferometer.host.machine import usable_cores
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results.cells import CellSummary, Results
from inferometer.results.packed import Packed, pack_located, unpack, unpack_located
from inferometer.results.pooling import Located, locate
from inferometer.results.summary import ranked, summaries_of, summarise
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import CELLS_FILE, DAMAGE, read_run
from inferometer.storage.stored_records import read_indexed

MOST_PROCESSES = 4  # what one of them does alone takes no less, so that more gain little
WORTH_BYTES = 24_000_000  # of cells.jsonl: less is done in the time that a child takes to start
_AT_ONCE = 128  # cells of a deal
_MOST_BYTES = 1 << 30  # of a message; more is none
_PIPE_BYTES = 1 << 20  # what Linux allows every user

_Child = subprocess.Popen[bytes]


def read_and_summarise(run: Path) -> tuple[Results, Packed | None]:
    """Return the results of one run without a data set, and them packed; StoreError as `read_run`."""
    try:
        return _in_parts(run)
    except DAMAGE:  # which `read_run` names
        return summarise([read_run(run)]), None


def _in_parts(run: Path) -> tuple[Results, Packed]:
    big = (run / CELLS_FILE).stat().st_size >= WORTH_BYTES
    with _children(run, min(usable_cores(), MOST_PROCESSES) - 1 if big else 0) as children, no_collection():
        stored = read_indexed(run)
        located, machines = locate([stored])
        deal = _Deal(located, run)
        with ThreadPoolExecutor(max(1, len(children))) as threads, contextlib.closing(deal):
            answers = [threads.submit(deal.to_child, child) for child in children]
            deal.here()
            for answer in answers:
                answer.result()
            deal.here()  # what a child handed back
        summaries, packed = deal.found()
        return ranked(summaries, (stored,), machines), packed


class _Deal:
    """Cells that are dealt out, and what was found of them."""

    def __init__(self, located: Sequence[Located], run: Path) -> None:
        self._run = run
        starts = range(0, len(located), _AT_ONCE)
        self._left = deque((start, located[start : start + _AT_ONCE]) for start in starts)
        self._found: dict[int, tuple[list[CellSummary], Packed]] = {}

    def here(self) -> None:
        """Summarise cells in this process until none are left."""
        for start, cells in self._taken():
            summaries = list(summaries_of(cells))
            self._found[start] = summaries, Packed.of(summaries)

    def to_child(self, child: _Child) -> None:
        """Have a child summarise cells until none are left, or it does not answer."""
        unread: list[tuple[int, Packed]] = []
        for start, cells in self._taken():
            told = _tell(child, cells)
            self._unpack(unread)  # while the child goes on
            answer = _heard(child, len(cells)) if told else None
            if answer is None:
                self._left.append((start, cells))
                return
            unread = [(start, answer)]
        self._unpack(unread)

    def close(self) -> None:
        """Deal out no more."""
        self._left.clear()

    def found(self) -> tuple[list[CellSummary], Packed]:
        """Return all summaries in order, as they are and packed."""
        found = [self._found[start] for start in sorted(self._found)]
        return [s for summaries, _ in found for s in summaries], Packed.joined(
            [packed for _, packed in found]
        )

    def _unpack(self, answers: Sequence[tuple[int, Packed]]) -> None:
        for start, answer in answers:
            self._found[start] = unpack(answer.summaries, self._run), answer

    def _taken(self) -> Iterator[tuple[int, Sequence[Located]]]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._left.popleft()


def _tell(child: _Child, cells: Sequence[Located]) -> bool:
    """Tell a child which cells to summarise; False where it is gone."""
    assert child.stdin
    with contextlib.suppress(OSError):
        _send(child.stdin, pack_located(cells))
        return True
    return False


def _heard(child: _Child, count: int) -> Packed | None:
    """Return what a child says of so many cells; None where it says nothing."""
    assert child.stdout
    with contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):
        found = msgspec.msgpack.decode(_received(child.stdout), type=Packed)
        return found if len(found.summaries) == count else None
    return None


@contextlib.contextmanager
def _children(run: Path, count: int) -> Iterator[list[_Child]]:
    """Start children, and leave none behind."""
    children: list[_Child] = []
    try:
        with contextlib.suppress(OSError):  # no memory for another process
            for _ in range(count):
                words = [sys.executable, "-P", "-m", __name__, str(run)]
                child = subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                children.append(child)
                _widen(child.stdout)
        yield children
    finally:
        for child in children:
            child.kill()  # which does nothing to one that ended
            with contextlib.suppress(BrokenPipeError), child:
                pass


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold a whole answer, where the system allows it: a child need not wait until it is read."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[arg-type]


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(8) + message)
    stream.flush()


def _received(stream: IO[bytes]) -> bytes:
    """Return the next message; EOFError where there is no whole one."""
    size = int.from_bytes(stream.read(8))
    message = stream.read(size) if 0 < size <= _MOST_BYTES else b""
    if not message or len(message) < size:
        raise EOFError
    return message


def answer(run: Path, cells: bytes) -> bytes:
    """Return the summaries of cells of a run, in a child."""
    return msgspec.msgpack.encode(Packed.of(list(summaries_of(unpack_located(cells, run)))))


def _main(words: Sequence[str]) -> int:
    with contextlib.suppress(OSError, EOFError, *DAMAGE), no_collection():  # the parent meets damage too
        t_quantile(CONFIDENCE, 1)  # which imports what it takes while the parent finds the records
        while True:
            _send(sys.stdout.buffer, answer(Path(words[0]), _received(sys.stdin.buffer)))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
