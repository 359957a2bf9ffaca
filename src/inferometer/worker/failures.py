"""What an exception inside a framework means, as a status of the record."""

from __future__ import annotations

from typing import Any

from inferometer.worker.oom import asked_bytes, is_of_the_host, is_oom
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


def describe(error: BaseException, limit: int = 500) -> str:
    """Return the exception as one line: its type and the first line that says something."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:limit] if text else type(error).__name__


def failure(error: BaseException) -> dict[str, Any]:
    """Return an exception as JSON data: status, cause, kind, and of memory that was not to be had the bytes."""
    told: dict[str, Any] = {
        "status": status_of(error),
        "cause": describe(error),
        "kind": type(error).__name__,
    }
    if told["status"] == "out-of-memory":
        told["asked_bytes"] = asked_bytes(str(error))
        told["host_free_bytes"] = memory.free_bytes()
        told["of_the_host"] = is_of_the_host(error)
    return told
