"""Python's garbage collector, at rest while many objects without circles are made: it would go through all of them again and again."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator


class _Resting:
    """How many readers let it rest, of all threads, and whether it was on before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.readers = 0
        self.was_on = False


_resting = _Resting()


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Let the collector rest until the last of those is done that asked for it, in whatever thread; it is then as it was before."""
    with _resting.lock:
        if not _resting.readers:
            _resting.was_on = gc.isenabled()
            gc.disable()
        _resting.readers += 1
    try:
        yield
    finally:
        with _resting.lock:
            _resting.readers -= 1
            if not _resting.readers and _resting.was_on:
                gc.enable()
