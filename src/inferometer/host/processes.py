"""What the kernel tells a parent of how its children ended, and that it tells it at all."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from inferometer.errors import UsageError


@contextlib.contextmanager
def children_heard() -> Iterator[None]:
    """Let the kernel keep the ends of children for us: with SIGCHLD ignored, as cron's wrappers and some daemons leave it, every
    child seems to have left with status 0.

    A program's own handler stays. UsageError in a thread that may not change it.
    """
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise UsageError(
            "SIGCHLD is ignored, so how a child process ends cannot be told; call "
            "signal.signal(signal.SIGCHLD, signal.SIG_DFL) in the main thread first"
        )
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def end_in_words(status: int) -> str:
    """Return how a process ended by its status, negative for a signal as `subprocess` gives it: "left with exit status 3"."""
    return f"died of {signal_name(-status)}" if status < 0 else f"left with exit status {status}"


def signal_name(number: int) -> str:
    """Return a signal's name: "SIGKILL"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
