"""unbundle.py interrupted, while it installs and while `inferometer unbundle` unpacks the rest: nothing half made is left, nothing runs on."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import zipfile

import pytest

from inferometer.planning.request import make_request
from processes import is_alive, wait_for
from travelled import bundle_of

# waits for a signal, and takes longer to end than `subprocess.run` would wait
SLEEPER = """#!{python}
import os, signal, sys, time
def end(number, frame):
    time.sleep(0.6)
    open({ended!r}, "w").write(str(number))
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
open({begun!r} + ".tmp", "w").write(str(os.getpid()))
os.rename({begun!r} + ".tmp", {begun!r})
time.sleep(60)
"""
# in place of uv: `venv` makes an environment, `pip` installs the program, or sleeps as that does
UV = """#!/bin/sh
for last; do :; done
case "$*" in
*" venv "*) mkdir -p "$last/bin" && echo new > "$last/version" ;;
*) {install} ;;
esac
"""


@pytest.fixture
def interrupted(tmp_path):
    """Return what unpacks a bundle over an earlier installation and interrupts it in a phase, and returns how it ended."""
    target = tmp_path / "there" / "core"
    target.mkdir(parents=True)
    (target / ".made-by-unbundle").touch()
    (target / "version").write_text("old\n")

    def call(phase, number):
        sleeper, begun, ended = (tmp_path / name for name in ("sleeper", "begun", "ended"))
        sleeper.write_text(SLEEPER.format(python=sys.executable, begun=str(begun), ended=str(ended)))
        sleeper.chmod(0o755)
        there = shlex.quote(str(target / "bin" / "inferometer"))
        install = {"install": f"exec {sleeper}", "unpack": f"cp {sleeper} {there}"}[phase]
        wheel = tmp_path / "uv-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("uv-1.data/scripts/uv", UV.format(install=install))
        bundle = bundle_of(make_request("mobilenet_v3_large"), tmp_path / "bundle", [wheel])
        process = subprocess.Popen(
            [sys.executable, bundle / "unbundle.py", "--to", target], stderr=subprocess.PIPE, text=True, start_new_session=True
        )  # fmt: skip
        try:
            wait_for(begun.exists)
            if number == signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does
            else:
                process.send_signal(number)
            _, told = process.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert not is_alive(int(begun.read_text()))
        assert ended.read_text() == str(int(number)), "the child was let end by itself"
        return target, process.returncode, told

    return call


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("phase", "version"), [("install", "old"), ("unpack", "new")])
def test_what_is_interrupted_is_waited_for_and_leaves_one_installation_and_nothing_else(
    interrupted, phase, version, number
):
    target, status, told = interrupted(phase, number)
    assert status == 128 + number
    assert told == "unbundle: interrupted; give the same command again; what was there whole stays\n"
    assert (target / "version").read_text() == f"{version}\n"
    assert [path.name for path in target.parent.iterdir()] == ["core"]
