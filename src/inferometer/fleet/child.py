"""The process of a node: it says what the node is, and measures once it is given a folder. `python -m inferometer.fleet.child FLEET NICENESS`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from inferometer.fleet.node_facts import describe


def main(name: str, niceness: int) -> int:
    """Tell what this node is and keeps of a fleet's run; measure in the folder that then comes on standard input, if one does.

    ``niceness``: of Ray itself there.
    """
    facts = {**describe(name), "gives_way": _as_urgent_as(niceness)}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    from inferometer.fleet.agent import LOG
    from inferometer.fleet.node_run import measure  # takes longer than it takes to tell
    from inferometer.storage.cache import open_log

    with open(0, "rb", buffering=0, closefd=False) as given:
        line = given.readline()
    if not line:
        return 0
    folder = Path(os.fsdecode(line.rstrip(b"\n")))
    with open_log(folder / LOG) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return measure(folder)


def _as_urgent_as(niceness: int) -> int:
    """Take a niceness, since Ray gives all that it runs 15 more, and a run elsewhere has none; return by how much it stays above."""
    with contextlib.suppress(OSError):  # not everybody may
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    return max(os.getpriority(os.PRIO_PROCESS, 0) - niceness, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
