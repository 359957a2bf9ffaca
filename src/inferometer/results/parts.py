"""A big run summarised by as many processes as there are cores, each of them some of its cells.

One finds out where the records lie and deals the cells out. The others are children, `python -m inferometer.results.parts RUN`, that
are told theirs on their standard input and write the summaries to their standard output. What a child does not hand over, since it could
not start or was killed, is computed here.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from inferometer.host.machine import usable_cores
from inferometer.results.cells import CellSummary, Results
from inferometer.results.packed import pack, pack_located, unpack, unpack_located
from inferometer.results.pooling import Located, locate
from inferometer.results.summary import ranked, summaries_of, summarise
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import CELLS_FILE, DAMAGE, read_run
from inferometer.storage.stored_records import read_indexed

MOST_PARTS = 4  # what one does alone takes no less, so that more gain little
WORTH_BYTES = 24_000_000  # of cells.jsonl: less is done in the time that a child takes to start

_Child = subprocess.Popen[bytes]
_Answer = list[CellSummary] | None
_Ask = Callable[[Sequence[Sequence[Located]]], list[Future[_Answer]]]


def read_and_summarise(run: Path) -> Results:
    """Return the results of one run without a data set; StoreError as `read_run`."""
    try:
        return _in_parts(run)
    except DAMAGE:  # which `read_run` names
        return summarise([read_run(run)])


def _in_parts(run: Path) -> Results:
    parts = min(usable_cores(), MOST_PARTS) if (run / CELLS_FILE).stat().st_size >= WORTH_BYTES else 1
    with _children(run, parts - 1) as ask, no_collection():
        stored = read_indexed(run)
        located, machines = locate([stored])
        ours, *shares = (located[part::parts] for part in range(parts))
        asked = ask(shares)
        found = [list(summaries_of(ours))]
        for share, answer in itertools.zip_longest(shares, asked):
            said = answer.result() if answer else None
            found.append(list(summaries_of(share)) if said is None else said)
        in_order = [s for several in itertools.zip_longest(*found) for s in several if s is not None]
        return ranked(in_order, (stored,), machines)


@contextlib.contextmanager
def _children(run: Path, count: int) -> Iterator[_Ask]:
    """Start children, return what gives each a share of the cells and a place for its answer, and leave none behind."""
    children: list[_Child] = []
    threads = ThreadPoolExecutor(max(1, count))  # a child is told before it listens, and heard as it speaks
    try:
        with contextlib.suppress(OSError):  # no memory for another process: its part is done here
            for _ in range(count):
                words = [sys.executable, "-P", "-m", __name__, str(run)]
                child = subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                children.append(child)
        yield lambda shares: [
            threads.submit(_said, *pair, run) for pair in zip(children, shares, strict=False)
        ]
    finally:
        for child in children:
            child.kill()  # which does nothing to one that ended
        threads.shutdown()
        for child in children:
            with child:
                pass


def _said(child: _Child, cells: Sequence[Located], run: Path) -> _Answer:
    """Return what a child says of cells; None where it says nothing."""
    said, _ = child.communicate(pack_located(cells))
    with contextlib.suppress(msgspec.MsgspecError):
        if child.returncode == 0:
            return unpack(_whole.decode(said), run)
    return None


_whole = msgspec.msgpack.Decoder(list[bytes])


def answer(run: Path, cells: bytes) -> bytes:
    """Return the summaries of cells of a run, in a child."""
    with no_collection():
        summaries = summaries_of(unpack_located(cells, run))
        return msgspec.msgpack.encode([pack(summary) for summary in summaries])


def _main(words: Sequence[str]) -> int:
    with contextlib.suppress(OSError, *DAMAGE):  # the parent meets it too, and says it
        sys.stdout.buffer.write(answer(Path(words[0]), sys.stdin.buffer.read()))
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
