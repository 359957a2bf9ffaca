"""What became of one input: read, refused in one line, or a fault; time and memory of the reader are bounded."""

from __future__ import annotations

import contextlib
import resource
import signal
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from inferometer.errors import InferometerError
from inferometer.escapes import shown

FINE = (
    "read",
    "refused",
    "reader died",
)  # a reader that dies takes its own process along, and is told in one line
MOST_S = 20.0  # of the processor's time
MOST_BYTES = 1 << 30
_LONGEST_LINE = 2500


@dataclass(frozen=True)
class Outcome:
    """``kind``: of `FINE`, or "traceback", "hang", "memory", "no line", "unclear", "code ran"; ``told``: what a user would see."""

    kind: str
    told: str = ""

    @property
    def fine(self) -> bool:
        return self.kind in FINE


class _Hang(BaseException):
    """The reader took longer than it may."""


def outcome_of(read, refusals=(InferometerError,)) -> Outcome:
    """Call a reader of this process; what it raises on purpose is one of ``refusals``."""
    try:
        with _bounded_time(), _bounded_memory():
            told = read()
    except refusals as error:
        return refused(str(error))
    except _Hang:
        return Outcome("hang", f"{MOST_S:g} s of the processor and no end")
    except MemoryError:
        return Outcome("memory", f"more than {MOST_BYTES >> 20} MiB wanted: {_where()}")
    except Exception:
        return Outcome("traceback", _where())
    return told if isinstance(told, Outcome) else Outcome("read")


def refused(text: str) -> Outcome:
    """Return the outcome of a refusal: it must be one line, and say something; ``text`` as the command line shows it."""
    line = shown(" ".join(text.split()))
    if not line or "\n" in text or len(line) > _LONGEST_LINE:
        return Outcome("no line", text[:3000])
    return Outcome("refused", line)


def _where() -> str:
    return traceback.format_exc(limit=-6)


@contextlib.contextmanager
def _bounded_time():
    def stop(*_):
        raise _Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _bounded_memory():
    """Let the kernel refuse this process more than `MOST_BYTES` beyond what it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    data = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (data + MOST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def table_of(outcomes: dict[str, Counter[str]]) -> list[str]:
    """Return the lines of a Markdown table: a row a reader, a column a kind of outcome."""
    kinds = [*FINE, *sorted({kind for counts in outcomes.values() for kind in counts} - set(FINE))]
    faults = [kind for kind in kinds if kind not in FINE]
    head = ["reader", "inputs", *FINE, "faults", *faults]
    rows = [
        [
            name,
            counts.total(),
            *(counts[kind] for kind in FINE),
            sum(counts[kind] for kind in faults),
            *(counts[k] for k in faults),
        ]
        for name, counts in outcomes.items()
    ]
    rows.append(["all", *(sum(row[place] for row in rows) for place in range(1, len(head)))])
    lines = [
        "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |"
        for row in rows
    ]
    return ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|", *lines]
