"""Who uses Ray in threads. Ray ends the process, without a word to Python, where it is called during or after its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from inferometer.errors import StoreError

_LEAVE_S = 5.0  # for threads to end that ask every second


class Gate:
    """Counts the threads that use Ray until it is closed."""

    def __init__(self) -> None:
        self._users, self._closed = 0, False
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Hold the gate open for a thread; StoreError where it is closed."""
        with self._changed:
            self.check()
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def check(self) -> None:
        """Raise StoreError where it is closed."""
        if self._closed:
            raise StoreError("interrupted; what had come from it is kept")

    def close(self) -> None:
        """Let nobody begin, and wait for those who use Ray to end, which they do once they `check`."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._users, _LEAVE_S)
