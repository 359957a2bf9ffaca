"""What a worker's death is told to be."""

import signal

from inferometer.running.processes.endings import ending_of_death

MIB = 2**20


def test_the_kernels_kill_names_whose_memory_was_full():
    def cause(limit):
        return ending_of_death(-signal.SIGKILL, "load", "", oom_killed=True, limit_bytes=limit).cause

    assert cause(None).endswith("in phase 'load': the host's memory is full")
    assert cause(900 * MIB).endswith(
        "the host's memory, or the 900 MiB that its control group allows, is full"
    )
