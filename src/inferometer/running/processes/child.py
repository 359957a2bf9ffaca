"""Children in other interpreters: a clean environment, JSON lines on inherited pipes, output to a log.

The parent sleeps in `select` while a child works; nothing here polls.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from inferometer.errors import ProtocolError
from inferometer.interruption import Interruption
from inferometer.storage.cache import open_log
from inferometer.storage.temporary import TemporaryFolder
from inferometer.worker.protocol import Request, encode_request

_ENTRY = Path(__file__).parents[2] / "worker" / "__main__.py"
_MESSAGE_LIMIT = 256 * 2**20  # bytes of one line; a runaway child must not exhaust the parent's memory

# What a child inherits: enough to find its home and locale, nothing that changes a framework.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "XDG_CACHE_HOME", "SSL_CERT_FILE",
              "INFEROMETER_BACKENDS")  # fmt: skip
_INHERITED_PREFIXES = ("LC_",)
# An interpreter that the user names (--python) belongs to the user's set-up: its search paths come along.
_FOREIGN = ("LD_LIBRARY_PATH", "PYTHONPATH", "CUDA_HOME", "CONDA_PREFIX", "VIRTUAL_ENV")

# What fetches weights (and measures nothing) needs to reach the network as the user does, and to find what is fetched.
_NETWORK = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "KERAS_HOME")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")  # in either case


def child_environment(
    extra: Mapping[str, str], foreign: bool = False, fetches: bool = False
) -> dict[str, str]:
    """Return the whole environment of a child: a whitelist of ours plus ``extra``.

    ``foreign``: its interpreter is the user's own; ``fetches``: it may download.
    """
    names = _INHERITED + (_FOREIGN if foreign else ()) + (_NETWORK if fetches else ())
    kept = {
        k: v
        for k, v in os.environ.items()
        if k in names or k.startswith(_INHERITED_PREFIXES) or (fetches and k.lower() in _PROXIES)
    }
    return {
        **kept,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "ORT_DISABLE_TELEMETRY": "1",  # from 1.32 on it keeps an identity in the user's cache, and may send
        **extra,
    }


class Child:
    """A process that answers JSON lines; use as a context manager, which ends it and removes its temporary folder."""

    def __init__(
        self,
        python: Path,
        environment: Mapping[str, str],
        log: Path,
        interruption: Interruption | None = None,
        temporary: Path | None = None,
    ) -> None:
        """Start the worker entry under ``python``; OSError if the interpreter cannot be started.

        ``interruption`` ends `receive` in a thread that Ctrl-C does not reach; ``temporary``: where its temporary folder
        is made, by default in the cache.
        """
        self._interruption = interruption
        self.log = log
        self._pending = b""
        self._temporary = TemporaryFolder(temporary)
        try:
            self._start(python, {**environment, **self._temporary.variables()})
        except BaseException:
            self._temporary.remove()
            raise

    def _start(self, python: Path, environment: Mapping[str, str]) -> None:
        request_read, self._requests = os.pipe()
        self._answers, answer_write = os.pipe()
        command = [str(python), str(_ENTRY), str(request_read), str(answer_write), str(os.getpid())]
        try:
            with open_log(self.log) as output:
                self._log_begins = output.seek(0, os.SEEK_END)  # an earlier child's words lie before
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(environment),
                    pass_fds=(request_read, answer_write),
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
                )
        except OSError:
            os.close(self._requests)
            os.close(self._answers)
            raise
        finally:
            os.close(request_read)
            os.close(answer_write)

    @property
    def pid(self) -> int:
        """Return the process number."""
        return self._process.pid

    def limit_memory(self, most_bytes: int) -> None:
        """Let the kernel refuse the child more memory of its own than that (Linux; elsewhere it may take all)."""
        with contextlib.suppress(AttributeError, OSError, ValueError):  # gone already, or another system
            resource.prlimit(self.pid, resource.RLIMIT_DATA, (most_bytes, most_bytes))

    def send(self, request: Request) -> None:
        """Write one request; a child that has gone is noticed by the next `receive`."""
        data = encode_request(request)
        with contextlib.suppress(
            BrokenPipeError
        ):  # receive() sees the end of its answers and the exit status
            view = memoryview(data)
            while view:
                view = view[os.write(self._requests, view) :]

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next message, or None once the child has closed its end.

        TimeoutError after ``timeout_s``; ProtocolError on a line that is no JSON object; KeyboardInterrupt if interrupted.
        """
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            self._sleep(deadline - time.monotonic())
            chunk = os.read(self._answers, 1 << 20)
            if not chunk:
                return None
            self._pending += chunk
            if len(self._pending) > _MESSAGE_LIMIT:
                raise ProtocolError(f"worker wrote a line of over {_MESSAGE_LIMIT} bytes")
        line, _, self._pending = self._pending.partition(b"\n")
        return _parse(line)

    def _sleep(self, timeout_s: float) -> None:
        """Wait until there is something to read; TimeoutError if nothing comes, KeyboardInterrupt if interrupted."""
        awaited = [self._answers]
        if self._interruption:
            awaited.append(self._interruption.fileno())
        ready = select.select(awaited, [], [], timeout_s)[0] if timeout_s > 0 else []
        if self._interruption:
            self._interruption.check()
        if not ready:
            raise TimeoutError

    def is_computing(self, window_s: float = 0.5) -> bool:
        """Return whether the child's process tree uses the CPU now (tells a slow child from a hung one)."""
        before = self._cpu_seconds()
        time.sleep(window_s)
        after = self._cpu_seconds()
        used_s = sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
        return used_s > 0.05 * window_s

    def _cpu_seconds(self) -> dict[int, float]:
        """Return the processor time of each process of the tree; one that vanishes meanwhile is left out."""
        times: dict[int, float] = {}
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self.pid)
            for process in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    spent = process.cpu_times()
                    times[process.pid] = float(spent.user + spent.system)
        return times

    def wait(self, timeout_s: float = 10.0) -> int | None:
        """Return the exit status (negative: the signal that ended it); None for a child that had to be killed."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def last_words(self, lines: int = 1) -> str:
        """Return the last lines that it wrote to its log as one line, for a cause; "" if it wrote none."""
        return log_tail(self.log, lines, self._log_begins)

    def kill(self) -> None:
        """Kill the child and everything it started."""
        self._kill_group()
        self._process.wait()

    def close(self) -> None:
        """End the child: closing its requests asks it to leave; a child that stays is killed."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1
            try:
                self.wait()
            finally:  # also of a Ctrl-C while it leaves
                self._kill_group()
                os.close(self._answers)
                self._temporary.remove()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody of its group is left
            os.killpg(self.pid, signal.SIGKILL)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
        self.close()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"worker wrote no JSON: {line[:80]!r}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"worker wrote no JSON object: {line[:80]!r}")
    return message


def log_tail(log: Path, lines: int = 1, begins: int = 0) -> str:
    """Return the last non-empty lines of a log from byte ``begins`` on as one line, for a cause."""
    try:
        text = log.read_bytes()[begins:][-20_000:].decode(errors="replace")
    except OSError:
        return ""
    kept = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(kept[-lines:])[:500]
