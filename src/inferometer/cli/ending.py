"""How a run ends on the command line, also one that is interrupted."""

from __future__ import annotations

from collections.abc import Callable

from inferometer.cli.common import notice

INTERRUPTED, INTERRUPTED_STATUS = "interrupted", 130


def ended(code: int, show: Callable[[], int], again: str, reason: str = INTERRUPTED) -> int:
    """Let ``show`` print a run and return its exit status, and return ``code`` if that is not 0.

    Of one that did not end well (``code``, for a ``reason`` in a few words), or is interrupted while it is shown, the last line says by
    which words of `inferometer` to go on.
    """
    status = 0
    try:
        status = show()
    except KeyboardInterrupt:
        code, reason = INTERRUPTED_STATUS, INTERRUPTED
    finally:
        if code:
            notice(f"{reason}; go on with: inferometer {again}")
    return code or status
