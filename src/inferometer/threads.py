"""Work in a thread, where one may be started: a container or a user may have a limit on processes, which counts threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_Words = ParamSpec("_Words")
_Found = TypeVar("_Found")

NO_THREAD = "can't start new thread"  # what Python says


def in_thread(
    stack: contextlib.ExitStack, call: Callable[_Words, _Found], *words: _Words.args, **more: _Words.kwargs
) -> Future[_Found] | None:
    """Begin a call in a thread, which ends before ``stack`` does; None where none may be started, and then nothing began."""
    threads = stack.enter_context(ThreadPoolExecutor(1))
    try:
        return threads.submit(call, *words, **more)
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
    return None
