"""Clients of the live report that are slow, hostile or many, and CSV that nobody meant: answered or refused, in a second or a line."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import struct
import time
import urllib.error
import urllib.request
from pathlib import Path

from trial import Trial
from world import World

import processes
from inferometer.storage.find import find_runs

MOST_S = 5.0  # until a page comes, whatever others do


def _silent(port: int, chance: random.Random) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(chance.randint(50, 450))]


def _dripping(port: int, chance: random.Random) -> list[socket.socket]:
    found = [socket.create_connection(("127.0.0.1", port)) for _ in range(chance.randint(20, 100))]
    for connection in found:
        connection.sendall(b"GET / HT")
    return found


def _noise(port: int, chance: random.Random) -> list[socket.socket]:
    found = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            connection.sendall(chance.randbytes(chance.randint(1, 100_000)))
        found.append(connection)
    return found


def _endless_header(port: int, chance: random.Random) -> list[socket.socket]:
    connection = socket.create_connection(("127.0.0.1", port))
    with contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(100):
            connection.sendall(b"X: " + b"y" * 10_000)
    return [connection]


def _reset(port: int, chance: random.Random) -> list[socket.socket]:
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    return []


def _never_reading(port: int, chance: random.Random) -> list[socket.socket]:
    found = []
    for _ in range(30):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 5)
        found.append(connection)
    return found


_HEADS = (
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: u:p@127.0.0.1\r\n\r\n", b"\r\n\r\n\r\n", b"GET http://x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0",
)  # fmt: skip


def _odd_heads(port: int, chance: random.Random) -> list[socket.socket]:
    found = []
    for _ in range(40):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(chance.choice(_HEADS))
        found.append(connection)
    return found


CLIENTS = (_silent, _dripping, _noise, _endless_header, _reset, _never_reading, _odd_heads)


def clients(trial: Trial, world: World, chance: random.Random) -> None:
    attack = chance.choice(CLIENTS)
    number = chance.choice((signal.SIGINT, signal.SIGTERM))
    folder = world.folder()
    (folder / "run").symlink_to(world.whole)
    said = folder / "said"

    def meanwhile(pid: int) -> None:
        held: list[socket.socket] = []
        try:
            port = _port(said)
            held = attack(port, chance)
            started = time.monotonic()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=MOST_S) as answer:
                trial.expect(answer.status == 200 and b"<html" in answer.read(), "no page")
            trial.expect(time.monotonic() - started < MOST_S, "the page took too long")
        except (OSError, urllib.error.URLError, TimeoutError) as error:
            trial.wrong.append(f"{attack.__name__}: no page beside others: {error}")
        finally:
            os.kill(pid, number)
            for connection in held:
                connection.close()

    def call() -> int:
        import sys

        from inferometer.cli import main

        sys.stdout = said.open("w", buffering=1)
        main(["serve", str(folder), "--port", "0"])
        return 0

    trial.ended(processes.forked(call, meanwhile=meanwhile), statuses=(0, 130, 143))
    trial.became = attack.__name__.strip("_").replace("_", " ")


def _port(said: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said.read_text()) if said.exists() else None
        if found:
            return int(found[1])
        time.sleep(0.01)
    raise TimeoutError("the server did not begin")


def csv_files(trial: Trial, world: World, chance: random.Random) -> None:
    from fuzzing.csvs import NAMES, SEEDS, changed

    folder = world.folder()
    place = chance.randrange(len(SEEDS))
    (folder / NAMES[place]).write_bytes(changed(chance, SEEDS[place]))
    done = trial.ended(
        processes.command("import", folder / NAMES[place], "--gpu", "A2", "--out", folder / "run"),
        statuses=(0, 1, 2),
    )
    if done.status:
        trial.one_line(done)
        trial.became = "refused"
        return
    for run in find_runs(folder / "run"):  # a damaged name makes two models of one
        trial.ended(processes.command("show", run), statuses=(0,))
        trial.kept((), run)
    trial.became = "read"
