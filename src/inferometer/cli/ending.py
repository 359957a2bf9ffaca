"""How a run ends on the command line, also one that is interrupted."""

from __future__ import annotations

from collections.abc import Callable

from inferometer.cli.common import notice


def ended(code: int, show: Callable[[], int], again: str) -> int:
    """Let ``show`` print a run and return its exit status, and return ``code`` if that is not 0.

    Of one that was interrupted (``code``), or is while it is shown, the last line says by which words of `inferometer` to go on.
    """
    status = 0
    try:
        status = show()
    except KeyboardInterrupt:
        code = 130
    finally:
        if code:
            notice(f"interrupted; go on with: inferometer {again}")
    return code or status
