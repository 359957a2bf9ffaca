"""Children: slow or hung?"""

import sys
import time

from inferometer.running.processes import child as child_module
from inferometer.running.processes.child import Child, child_environment

BUSY_WITH_A_HELPER_THAT_LEAVES = """
import pathlib, subprocess, sys, time
work = "while __import__('time').process_time() < 0.6: pass"
helper = subprocess.Popen([sys.executable, "-c", f"exec({work!r}); input()"], stdin=subprocess.PIPE)
pathlib.Path(FILE).write_text(str(helper.pid))
while True: pass
"""


def test_a_helper_that_vanishes_does_not_make_a_computing_child_look_hung(tmp_path, monkeypatch):
    import psutil

    entry = tmp_path / "entry.py"
    entry.write_text(BUSY_WITH_A_HELPER_THAT_LEAVES.replace("FILE", repr(str(tmp_path / "helper.pid"))))
    monkeypatch.setattr(child_module, "_ENTRY", entry)
    with Child(sys.executable, child_environment({}), tmp_path / "log") as child:
        try:
            helper = _helper(tmp_path / "helper.pid")
            pause = time.sleep

            def end_the_helper_meanwhile(seconds):
                helper.kill()
                while helper.status() != psutil.STATUS_ZOMBIE:
                    pause(0.005)
                pause(seconds)

            monkeypatch.setattr(child_module.time, "sleep", end_the_helper_meanwhile)
            assert child.is_computing(1.0)  # long enough for a busy machine
        finally:
            child.kill()


def _helper(path):
    """Return the helper once it has used more processor time than the child will in the window."""
    import psutil

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            helper = psutil.Process(int(path.read_text()))
            if sum(helper.cpu_times()[:2]) > 0.5:
                return helper
        time.sleep(0.01)
    raise AssertionError("the helper did not start")
