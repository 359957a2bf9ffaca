"""What an exception inside a framework means, as a status of the record."""

from __future__ import annotations

from inferometer.worker.oom import asked_bytes, is_of_the_host, is_oom
from inferometer.worker.protocol import Failed
from inferometer.worker.system import memory

_UNSUPPORTED = (
    "not implemented",
    "unimplemented",
    "not supported",
    "unsupported",
    "no opset",
    "not_implemented",
)


class Unsupported(Exception):  # noqa: N818  (it names the status)
    """The framework cannot do what was asked: precision, device, model or batch size."""


class Misplaced(Exception):  # noqa: N818
    """The work ran, or would run, on another device than the one asked for."""


class ContractBroken(Exception):  # noqa: N818
    """A backend gave what the loop cannot work with (`backend_contract`): a mistake in its code."""


class Relayed(Exception):  # noqa: N818
    """What another worker, asked by this one, said of its failure."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.cause)
        self.failed = failed


def status_of(error: BaseException) -> str:
    """Return the record's status for an exception: by type first, then by the words frameworks use."""
    if isinstance(error, (Unsupported, NotImplementedError)):
        return "unsupported"
    if isinstance(error, Misplaced):
        return "wrong-device"
    text = f"{type(error).__name__} {error}".lower()
    if isinstance(error, MemoryError) or is_oom(text):
        return "out-of-memory"
    if any(word in text for word in _UNSUPPORTED):
        return "unsupported"
    return "failed"


def failure_text(error: BaseException, limit: int = 500) -> str:
    """Return the exception as one line: its type, where it is a framework's, and what it says."""
    text = " ".join(str(error).split())
    if text and isinstance(error, (Unsupported, Misplaced, ContractBroken)):
        return text[:limit]
    return f"{type(error).__name__}: {text}"[:limit] if text else type(error).__name__


def failure(error: BaseException) -> Failed:
    """Return an exception as an answer; of memory that was not to be had with the bytes."""
    if isinstance(error, Relayed):
        return error.failed
    status, cause, kind = status_of(error), failure_text(error), type(error).__name__
    if status != "out-of-memory":
        return Failed(status, cause, kind)
    return Failed(
        status,
        cause,
        kind,
        asked_bytes=asked_bytes(str(error)),
        host_free_bytes=memory.free_bytes(),
        of_the_host=is_of_the_host(error),
    )
