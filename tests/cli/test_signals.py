"""SIGTERM and SIGHUP do what Ctrl-C does at that moment, whatever that is."""

import os
import signal
import subprocess
import sys

import pytest

from inferometer.cli.signals import Stops


@pytest.fixture(autouse=True)
def default():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_it_interrupts_also_where_ctrl_c_is_ignored(ctrl_c, number, status):
    signal.signal(signal.SIGINT, ctrl_c)
    with Stops() as stops:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert stops.status(130) == status
        assert stops.status(2) == 2, "it failed for another reason"
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_handler_of_ctrl_c_hears_it():
    heard = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    with Stops():
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGINT]


def test_nohup_stays_nohup():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Stops() as stops:
        os.kill(os.getpid(), signal.SIGHUP)
    assert stops.status(130) == 130
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


INTERRUPTED_WHILE_IMPORTED = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from inferometer.__main__ import main
main()
"""


def test_ctrl_c_while_the_command_line_is_imported_is_no_traceback():
    command = [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "inferometer: interrupted\n")


INTERRUPTED_IN_CODE_OF_TEXT = """
import sys
from inferometer import cli

def interrupted(arguments):
    exec(sys.argv[1])

cli._call = interrupted
cli.main([])
"""


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise KeyboardInterrupt", 130), ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143)],
)
def test_an_interruption_in_code_made_of_text_leaves_with_our_status(tmp_path, code, status):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_IN_CODE_OF_TEXT)
    command = [sys.executable, "-m", "interrupted", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, "\ninferometer: interrupted\n")


INTERRUPTED_TWICE = """
import click
from inferometer import cli
from inferometer.__main__ import main

def interrupted(*_, **__):
    raise KeyboardInterrupt

cli._call = interrupted
click.echo = interrupted
main()
"""


def test_an_interruption_while_another_is_told_is_no_traceback():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_TWICE], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


INTERRUPTED_IN_A_FINALISER = """
import os, signal, sys, time
from inferometer import cli
from inferometer.__main__ import main

class Ends:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        time.sleep(0)

def call(arguments):
    Ends()
    time.sleep(20)

cli._call = call
main()
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interruption_in_a_finaliser_is_not_lost(name, status):
    command = [sys.executable, "-c", INTERRUPTED_IN_A_FINALISER, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stderr) == (status, "\ninferometer: interrupted\n")
