"""The process that measures on a node."""

import json
import signal
import subprocess
import sys


def blocked():
    """As Ray has it where it runs an actor."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def test_an_interruption_that_came_before_it_was_heard_is_one(tmp_path):
    words = [sys.executable, "-m", "inferometer.fleet.child", str(tmp_path)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=blocked
    ) as child:
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
        assert child.stderr.read() == ""
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert event == {"at": "interrupted", "interrupted": True}
