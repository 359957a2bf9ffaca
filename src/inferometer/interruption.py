"""A request to stop that reaches threads asleep in `select`: Ctrl-C comes to the main thread alone."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # what others than the terminal send to end a process


class Interruption:
    """Readable for `select` from the moment it is asked for, in every thread; use as a context manager."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.reason = ""  # why; empty: go on

    def fileno(self) -> int:
        """Return the descriptor to wait for beside others."""
        return self._read

    def ask(self, reason: str) -> None:
        """Ask everybody to stop; only the first reason counts. Safe in a signal handler."""
        if not self.reason:
            self.reason = reason
            os.write(self._write, b"!")

    def check(self) -> None:
        """Raise KeyboardInterrupt with the reason if everybody is to stop."""
        if self.reason:
            raise KeyboardInterrupt(self.reason)

    @contextlib.contextmanager
    def by_ctrl_c(self) -> Iterator[None]:
        """Let Ctrl-C ask instead of raising in the main thread, where nothing is measured; a program's own handler stays."""
        ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if not ours:
            yield
            return
        signal.signal(signal.SIGINT, self._asked_by_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _asked_by_signal(self, *_: Any) -> None:
        self.ask("stopped by the user")

    def __enter__(self) -> Interruption:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._read)
        os.close(self._write)
