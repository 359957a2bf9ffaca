"""Serve this host's meters over a Unix socket, so that users who may not read them can measure. Root starts it once."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from inferometer.energy.meters.served_lines import (
    LONGEST_LINE,
    VERSION,
    Answer,
    Offered,
    Question,
    decode_question,
    encode,
)
from inferometer.energy.tools.shared_meters import SharedMeter
from inferometer.errors import MeterError, UsageError

MOST_CLIENTS = 256  # connections at a time; a client holds one a meter
IDLE_S = 3600.0  # after which a connection that asks nothing is ended; the client makes another


@dataclass(frozen=True)
class Access:
    """Who may connect: members of ``group``, or everyone; by default the owner alone."""

    group: str = ""
    everyone: bool = False

    @property
    def mode(self) -> int:
        """Return the socket's permissions."""
        return 0o666 if self.everyone else 0o660 if self.group else 0o600


@contextlib.contextmanager
def serving(meters: Mapping[str, SharedMeter], path: Path, access: Access) -> Iterator[None]:
    """Answer clients at ``path`` in threads of their own until the end; UsageError if the socket cannot be made."""
    group = _group_id(access.group)
    _clear(path)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        before = os.umask(0o177)  # nobody else gets in before the permissions are set
        try:
            server = _Server(str(path), meters)
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, -1, group)
        path.chmod(access.mode)
    except OSError as error:
        with contextlib.suppress(OSError, UnboundLocalError):
            server.server_close()
            path.unlink()
        raise UsageError(
            f"cannot serve at {path}: {error.strerror}; run as root, or give --socket PATH"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="inferometer-serve", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        with contextlib.suppress(OSError):
            path.unlink()
        thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False  # a client that says nothing must not keep this from ending
    request_queue_size = 64

    def __init__(self, path: str, meters: Mapping[str, SharedMeter]) -> None:
        self.meters = meters
        self.free = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__(path, _Client)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle of an answer is none of the server's trouble."""


class _Client(socketserver.StreamRequestHandler):
    timeout = IDLE_S
    server: _Server

    def handle(self) -> None:
        if not self.server.free.acquire(blocking=False):
            self.wfile.write(encode(Answer(error=f"more than {MOST_CLIENTS} connections at a time")))
            return
        try:
            while (line := self.rfile.readline(LONGEST_LINE)).endswith(b"\n"):
                self.wfile.write(encode(answer(line, self.server.meters)))
        finally:
            self.server.free.release()


def answer(line: bytes, meters: Mapping[str, SharedMeter]) -> Answer:
    """Return the answer to one line of a client; what it asks cannot raise."""
    try:
        question = decode_question(line)
        if question.ask == "meters":
            return Answer(VERSION, tuple(Offered(m.device, m.traits) for m in meters.values()))
        if question.ask == "read":
            return _value(question, meters)
        raise MeterError(f"'{question.ask[:40]}' is not known: ask meters or read")
    except MeterError as error:
        return Answer(error=str(error))


def _value(question: Question, meters: Mapping[str, SharedMeter]) -> Answer:
    meter = meters.get(question.uid)
    if meter is None:
        raise MeterError(f"no meter '{question.uid[:80]}' is served")
    return Answer(value=meter.limited())


def _group_id(name: str) -> int | None:
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise UsageError(f"--group {name}: there is no such group (sudo groupadd {name})") from error


def _clear(path: Path) -> None:
    """Remove the socket of a server that is gone; UsageError if one answers, or if something else is there."""
    if not os.path.lexists(path):
        return
    if not path.is_socket():
        raise UsageError(f"{path} is there and no socket; give another --socket PATH")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise UsageError(
                f"cannot serve at {path}: {error.strerror}; give another --socket PATH"
            ) from error
    raise UsageError(f"meters are served at {path} already; give another --socket PATH")
