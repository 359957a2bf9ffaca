"""How a cell ended when no result came: by what the worker said, by how it died, or by the clock."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferometer import units
from inferometer.host.processes import signal_name
from inferometer.records import STATUSES, Memory, Record, Status
from inferometer.worker.protocol import Failed, Measured


@dataclass(frozen=True)
class Ending:
    """A status and its cause, one line."""

    status: Status
    cause: str
    memory: Memory | None = None  # that was asked for and free, where it ran out

    @classmethod
    def from_answer(cls, answer: Failed | Measured, device: str) -> Ending:
        """Return what a worker on ``device`` said of its failure; a status that does not exist is a broken protocol."""
        status = _known(answer.status)
        if status is None:
            return cls("broken-protocol", f"worker sent an unknown status {answer.status!r}: {answer.cause}")
        if status == "out-of-memory" and isinstance(answer, Failed):
            return cls(status, answer.cause, _oom_memory(answer, device))
        return cls(status, answer.cause)


def _known(status: str) -> Status | None:
    return next((known for known in STATUSES if known == status), None)


def _oom_memory(answer: Failed, device: str) -> Memory:
    on_host = device == "cpu" or answer.of_the_host
    return Memory(asked_bytes=answer.asked_bytes, free_bytes=answer.host_free_bytes if on_host else None)


def with_oom_amounts(record: Record) -> Record:
    """Return a record of memory that ran out with the bytes in its cause, as far as they are known."""
    memory = record.memory
    if record.status != "out-of-memory" or memory is None:
        return record
    amounts = (("asked for {}", memory.asked_bytes), ("{} free", memory.free_bytes))
    told = [text.format(units.size(count)) for text, count in amounts if count is not None]
    cause = ": ".join(filter(None, (", ".join(told), record.cause)))
    return msgspec.structs.replace(record, cause=cause)


def ending_of_timeout(computing: bool, timeout_s: float, phase: str) -> Ending:
    """Return the end of a worker that was stopped by the clock: slow if it still computed, hung if not."""
    if computing:
        return Ending("timed-out", f"still computing in phase '{phase}' after {timeout_s:g} s (--timeout)")
    return Ending("hung", f"idle in phase '{phase}' until {timeout_s:g} s were over (--timeout)")


def ending_of_death(
    status: int, phase: str, last_words: str, oom_killed: bool, limit_bytes: int | None = None
) -> Ending:
    """Return the end of a worker that died by itself or was killed; ``status`` as `subprocess` gives it.

    ``limit_bytes``: what a control group lets it have of the host's memory, if it is less.
    """
    words = f"; last words: {last_words}" if last_words else ""
    if status >= 0:
        return Ending("crashed", f"worker left with exit status {status} in phase '{phase}'{words}")
    name = signal_name(-status)
    if status == -signal.SIGKILL and oom_killed:
        limit = f", or the {units.size(limit_bytes)} that its control group allows," if limit_bytes else ""
        cause = f"the kernel killed the worker in phase '{phase}': the host's memory{limit} is full"
        return Ending("out-of-memory", cause)
    if status in (-signal.SIGKILL, -signal.SIGTERM):
        return Ending("killed", f"worker was killed from outside ({name}) in phase '{phase}'{words}")
    return Ending("crashed", f"worker died of {name} in phase '{phase}'{words}")


def oom_kills() -> int:
    """Return how many processes the kernel has killed for memory since boot (0 where it does not tell)."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
