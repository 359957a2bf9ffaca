"""Commands in processes of their own: bounded in time, and whatever they leave behind is found, since it becomes our child."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MOST_S = 90.0  # of any command; every one here takes a few seconds
_GRACE_S = 10.0  # for what a killed parent leaves to notice it
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
COMMAND = (sys.executable, "-P", "-m", "inferometer")


@dataclass(frozen=True)
class Ended:
    """A command that is over."""

    words: str
    status: int | None  # negative: its signal; None: it hung
    out: str
    err: str
    orphans: tuple[str, ...]

    @property
    def hung(self) -> bool:
        return self.status is None


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent is gone (Linux)."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")


def hear_ctrl_c() -> None:
    """Hear SIGINT, and let every child hear it: a shell that starts us in the background has it ignored by all below."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(
    words: Sequence[str | Path],
    *,
    before: Sequence[str | Path] = (),
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
    meanwhile: Callable[[int], None] = lambda pid: None,
) -> Ended:
    """Run `inferometer WORDS`, after the words ``before``.

    ``prepare`` is called in the new process; ``meanwhile`` in this one, with its number, while it runs.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*map(str, before), *COMMAND, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
            env={**os.environ, **(environment or {})}, preexec_fn=prepare, start_new_session=True,  # noqa: PLW1509
        )  # fmt: skip
        meanwhile(process.pid)
        status: int | None
        try:
            status = process.wait(MOST_S)
        except subprocess.TimeoutExpired:
            status = None
            _end_all()
            process.wait()
        return _ended(words, status, out, err)


def forked(
    call: Callable[[], int | None],
    *,
    environment: Mapping[str, str] | None = None,
    meanwhile: Callable[[int], None] = lambda pid: None,
) -> Ended:
    """Call a function in a copy of this process, which has everything imported; what it returns is the status."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if not pid:
            _be_child(call, environment or {}, out.fileno(), err.fileno())
        meanwhile(pid)
        return _ended((getattr(call, "__name__", "call"),), _wait(pid), out, err)


def command(
    *words: str | Path,
    environment: Mapping[str, str] | None = None,
    meanwhile: Callable[[int], None] = lambda pid: None,
) -> Ended:
    """Run `inferometer WORDS` in a copy of this process."""
    from inferometer.cli import main

    def call() -> None:
        main([str(word) for word in words])

    call.__name__ = " ".join(map(str, words))
    return forked(call, environment=environment, meanwhile=meanwhile)


def _be_child(call: Callable[[], int | None], environment: Mapping[str, str], out: int, err: int) -> None:
    status = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        status = call() or 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _wait(pid: int) -> int | None:
    deadline = time.monotonic() + MOST_S
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    _end_all()
    os.waitpid(pid, 0)
    return None


def _ended(words: Sequence[str | Path], status: int | None, out, err) -> Ended:
    orphans = _orphans()
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read().decode(errors="replace"))
    return Ended(" ".join(map(str, words)), status, texts[0], texts[1], orphans)


def _orphans() -> tuple[str, ...]:
    """Return the descendants that outlive their command by more than the grace, and end them."""
    deadline = time.monotonic() + _GRACE_S
    while (left := _living()) and time.monotonic() < deadline:
        time.sleep(0.02)
    told = tuple(_told(process) for process in left)
    if left:
        _end_all()
    return told


def _living() -> list[psutil.Process]:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return psutil.Process().children(recursive=True)


def _told(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())[-200:]
    return str(process.pid)


def _end_all() -> None:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()


def is_running(pid: int) -> bool:
    """Return whether a process has not ended, also where nobody has asked for its status yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def children_of(pid: int) -> list[int]:
    """Return a process's own children, at once."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def workers_of(pid: int) -> list[int]:
    """Return the workers and steps that a command runs now."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word.endswith("worker/__main__.py") for word in child.cmdline()):
                    found.append(child.pid)
    return found
