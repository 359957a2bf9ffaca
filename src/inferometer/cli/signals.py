"""SIGTERM and SIGHUP end a command as Ctrl-C does: Slurm, systemd, `docker stop` and a lost connection send them.

None is lost in a finaliser, where Python prints what is raised and goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from inferometer.interruption import STOP_SIGNALS

_AGAIN_S = 0.01  # until a finaliser has ended


class Stops:
    """Within it, the signals do what Ctrl-C does at that moment; one that the caller ignores (nohup) stays ignored."""

    def __init__(self) -> None:
        self.heard = 0  # the last signal; 0: none came

    def __enter__(self) -> Stops:
        self._before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in self._before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, self._stop)
        self._unraisable = sys.unraisablehook
        sys.unraisablehook = self._not_raised
        return self

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._unraisable
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def status(self, status: int) -> int:
        """Return a command's exit status: one that was interrupted tells by which signal, as a shell does."""
        interrupted = 128 + signal.SIGINT
        return 128 + self.heard if self.heard and status == interrupted else status

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.heard = number
        ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(ctrl_c):  # ignored, as in a script's background; this signal still counts
            raise KeyboardInterrupt
        ctrl_c(signal.SIGINT, frame)

    def _not_raised(self, found: sys.UnraisableHookArgs) -> None:
        """Send an interruption again that came while a finaliser ran."""
        if not issubclass(found.exc_type, KeyboardInterrupt):
            self._unraisable(found)
            return
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), self.heard or signal.SIGINT))
        again.daemon = True
        again.start()
