"""What holds a node: it looks after the process that measures."""

import errno
import os
import subprocess
import sys
import time

import pytest

from inferometer.fleet.agent import Agent

ENDS = [sys.executable, "-c", "input()"]  # once its input is closed


@pytest.fixture
def agent(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    agent = Agent("fleet", "node")
    agent._child = subprocess.Popen(ENDS, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield agent
    agent._child.kill()
    agent._child.communicate()


def test_a_poll_ends_as_soon_as_the_run_does(agent):
    assert agent.poll(0, 0, 0.01)["status"] is None
    agent._child.stdin.close()
    began = time.monotonic()
    assert agent.poll(0, 0, 300)["status"] == 1
    assert time.monotonic() - began < 200


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_where_the_kernel_tells_no_end_a_poll_takes_its_time(agent, monkeypatch, code):
    def refused(process):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    assert agent.poll(0, 0, 0.01)["status"] is None
    agent._child.kill()
    agent._child.wait()
    assert agent.poll(0, 0, 0.01)["status"] == -9
