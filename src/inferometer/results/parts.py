"""A big run summarised by as many processes as there are cores: each reads its records and estimates every so many-th cell.

A part is a child of its own, `python -m inferometer.results.parts RUN PART PARTS`, that writes its summaries to its standard output.
What a child does not hand over, since it could not start or was killed, the parent computes itself.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from inferometer.errors import StoreError
from inferometer.host.machine import usable_cores
from inferometer.results.cells import CellSummary, Results
from inferometer.results.packed import pack, unpack
from inferometer.results.summary import ranked, summaries_of, summarise
from inferometer.storage.collector import no_collection
from inferometer.storage.run_directory import CELLS_FILE, DAMAGE, read_run
from inferometer.storage.stored_records import read_indexed

MOST_PARTS = 4  # each reads the whole run, so that more gain little
WORTH_BYTES = 24_000_000  # of cells.jsonl: less is done in the time that a child takes to start

_Child = subprocess.Popen[bytes]


def read_and_summarise(run: Path) -> Results:
    """Return the results of one run without a data set; StoreError as `read_run`."""
    try:
        return _in_parts(run)
    except DAMAGE:  # which `read_run` names
        return summarise([read_run(run)])


def _in_parts(run: Path) -> Results:
    parts = min(usable_cores(), MOST_PARTS) if (run / CELLS_FILE).stat().st_size >= WORTH_BYTES else 1
    with _children(run, parts) as children, no_collection():
        stored = read_indexed(run)
        found = [summaries_of(stored, 0, parts)]
        for part in range(1, parts):
            answer = _answer(children[part - 1], run) if part <= len(children) else None
            found.append(summaries_of(stored, part, parts) if answer is None else answer)
        everything = [s for several in itertools.zip_longest(*found) for s in several if s is not None]
        return ranked(
            everything, (stored,), dict.fromkeys((s.machine for s in everything), stored.info.machine)
        )


@contextlib.contextmanager
def _children(run: Path, parts: int) -> Iterator[list[_Child]]:
    """Start all parts but the first, and leave none behind."""
    children: list[_Child] = []
    try:
        with contextlib.suppress(OSError):  # no memory for another process: its part is done here
            for part in range(1, parts):
                words = [sys.executable, "-P", "-m", __name__, str(run), str(part), str(parts)]
                child = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                children.append(child)
        yield children
    finally:
        for child in children:
            child.kill()  # which does nothing to one that ended
            with child:
                pass


def _answer(child: _Child, run: Path) -> list[CellSummary] | None:
    """Return what a child found; None where it found nothing."""
    said, _ = child.communicate()
    with contextlib.suppress(msgspec.MsgspecError):
        if child.returncode == 0:
            return unpack(_whole.decode(said), run)
    return None


_whole = msgspec.msgpack.Decoder(list[bytes])


def answer(run: Path, part: int, parts: int, out: IO[bytes]) -> None:
    """Summarise one part, in a child."""
    with no_collection():
        summaries = summaries_of(read_indexed(run), part, parts)
        out.write(msgspec.msgpack.encode([pack(summary) for summary in summaries]))


def _main(words: Sequence[str]) -> int:
    with contextlib.suppress(StoreError, OSError, *DAMAGE):  # the parent meets it too, and says it
        answer(Path(words[0]), int(words[1]), int(words[2]), sys.stdout.buffer)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
