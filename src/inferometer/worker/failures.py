"""What an exception inside a framework means, as a status of the record."""

from __future__ import annotations

_OUT_OF_MEMORY = (
    "out of memory",
    "resource_exhausted",
    "resource exhausted",
    "failed to allocate memory",
    "bfcarena",
    "bad_alloc",
    "cudaerrormemoryallocation",
    "defaultcpuallocator: can't allocate",
    "not enough memory",
    "unable to allocate",
    "dst tensor is not initialized",  # TensorFlow, when a copy to the GPU finds no room
)
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
    if isinstance(error, MemoryError) or any(word in text for word in _OUT_OF_MEMORY):
        return "out-of-memory"
    if any(word in text for word in _UNSUPPORTED):
        return "unsupported"
    return "failed"


def describe(error: BaseException, limit: int = 500) -> str:
    """Return the exception as one line: its type and the first line that says something."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:limit] if text else type(error).__name__
