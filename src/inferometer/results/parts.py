"""A big run summarised by as many processes as there are cores.

One finds out where the records lie and deals the cells out, some at a time, to whoever is free: itself and its children. A child is
`python -m inferometer.results.parts RUN`, told cells on its standard input and answering on its standard output. What it does not answer,
since it could not start or was killed, is computed here.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from inferometer.host.machine import usable_cores
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results.cells import CellSummary, Results
from inferometer.results.children import Child, children, heard, received, send, taken, tell
from inferometer.results.packed import Packed, pack_located, unpack, unpack_located
from inferometer.results.pooling import Located, locate
from inferometer.results.summary import ranked, summaries_of, summarise
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import CELLS_FILE, DAMAGE, read_run
from inferometer.storage.stored_records import read_indexed
from inferometer.threads import in_thread

MOST_PROCESSES = 4  # what one of them does alone takes no less, so that more gain little
WORTH_BYTES = 24_000_000  # of cells.jsonl: less is done in the time that a child takes to start
_AT_ONCE = 128  # cells of a deal


def read_and_summarise(run: Path) -> tuple[Results, Packed | None]:
    """Return the results of one run without a data set, and them packed; StoreError as `read_run`."""
    try:
        return _in_parts(run)
    except DAMAGE:  # which `read_run` names
        return summarise([read_run(run)]), None


def _in_parts(run: Path) -> tuple[Results, Packed]:
    big = (run / CELLS_FILE).stat().st_size >= WORTH_BYTES
    count = min(usable_cores(), MOST_PROCESSES) - 1 if big else 0
    with children(__name__, [str(run)], count) as helpers, no_collection():
        stored = read_indexed(run)
        located, machines = locate([stored])
        deal = _Deal(located, run)
        with contextlib.ExitStack() as threads, contextlib.closing(deal):
            answers = [in_thread(threads, deal.to_child, child) for child in helpers]
            deal.here()
            for answer in filter(None, answers):
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
        for start, cells in taken(self._left):
            summaries = list(summaries_of(cells))
            self._found[start] = summaries, Packed.of(summaries)

    def to_child(self, child: Child) -> None:
        """Have a child summarise cells until none are left, or it does not answer."""
        unread: list[tuple[int, Packed]] = []
        for start, cells in taken(self._left):
            told = tell(child, pack_located(cells))
            self._unpack(unread)  # while the child goes on
            answer = _answer_of(child, cells) if told else None
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


def _answer_of(child: Child, cells: Sequence[Located]) -> Packed | None:
    """Return what a child says of the cells that it was told; None where it says nothing."""
    with contextlib.suppress(msgspec.MsgspecError):
        found = msgspec.msgpack.decode(heard(child) or b"", type=Packed)
        return found if len(found.summaries) == len(cells) else None
    return None


def answer(run: Path, cells: bytes) -> bytes:
    """Return the summaries of cells of a run, in a child."""
    return msgspec.msgpack.encode(Packed.of(list(summaries_of(unpack_located(cells, run)))))


def _main(words: Sequence[str]) -> int:
    with contextlib.suppress(OSError, EOFError, *DAMAGE), no_collection():  # the parent meets damage too
        t_quantile(CONFIDENCE, 1)  # which imports what it takes while the parent finds the records
        while True:
            send(sys.stdout.buffer, answer(Path(words[0]), received(sys.stdin.buffer)))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
