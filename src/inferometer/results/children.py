"""Processes that share a command's work: each is told on its standard input and answers on its standard output, message by message.

A child is a module of this package run as `python -m`. One that cannot start, is killed, or says something else does not answer; what it
was to do is then done by whoever asked.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, TypeVar

_MOST_BYTES = 1 << 30  # of a message; more is none
_PIPE_BYTES = 1 << 20  # what Linux allows every user

Child = subprocess.Popen[bytes]
_Work = TypeVar("_Work")


@contextlib.contextmanager
def children(module: str, words: Sequence[str], count: int) -> Iterator[list[Child]]:
    """Start so many children of a module, as many as there is memory for, and leave none behind."""
    found: list[Child] = []
    try:
        with contextlib.suppress(OSError):  # no memory for another process
            for _ in range(count):
                command = [sys.executable, "-P", "-m", module, *words]
                child = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                found.append(child)
                _widen(child.stdout)
        yield found
    finally:
        for child in found:
            child.kill()  # which does nothing to one that ended
            with contextlib.suppress(BrokenPipeError), child:
                pass


def taken(left: deque[_Work]) -> Iterator[_Work]:
    """Yield work from the front until none is left; several may take of it at once, and hand some back."""
    with contextlib.suppress(IndexError):
        while True:
            yield left.popleft()


def tell(child: Child, message: bytes) -> bool:
    """Send a child a message; False where it is gone."""
    assert child.stdin
    with contextlib.suppress(OSError):
        send(child.stdin, message)
        return True
    return False


def heard(child: Child) -> bytes | None:
    """Return a child's next message; None where there is no whole one."""
    assert child.stdout
    with contextlib.suppress(OSError, EOFError):
        return received(child.stdout)
    return None


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message, behind its length."""
    stream.write(len(message).to_bytes(8) + message)
    stream.flush()


def received(stream: IO[bytes]) -> bytes:
    """Return the next message; EOFError where there is no whole one."""
    size = int.from_bytes(stream.read(8))
    message = stream.read(size) if 0 < size <= _MOST_BYTES else b""
    if not message or len(message) < size:
        raise EOFError
    return message


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold a whole answer, where the system allows it: a child need not wait until it is read."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[arg-type]
