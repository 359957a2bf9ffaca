"""What tests of real processes ask the kernel."""

import contextlib
import os
import time
from pathlib import Path


def wait_for(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def children_of(pid):
    """Return the children of every thread: a lane's thread is its workers' parent."""
    found = []
    with contextlib.suppress(OSError):  # the process ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # or the thread
                found += [int(p) for p in (task / "children").read_text().split()]
    return found


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
