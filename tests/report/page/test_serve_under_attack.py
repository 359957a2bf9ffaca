"""The live server among slow, many and odd clients; a page that cannot be drawn."""

import socket
import threading

import pytest

import simulated_runs as simulated
from inferometer.report.page import serve
from live_server import serving

SMALL = {"frameworks": ("onnxrt",), "precisions": ("fp32",), "batch_sizes": (8,), "rounds": 1}
SAID = []


@pytest.fixture
def server(tmp_path):
    simulated.write_run(tmp_path / "a", simulated.BOARDS[0], **SMALL)
    SAID.clear()
    with serving(tmp_path, SAID.append) as running:
        yield running


def connected(server):
    return socket.create_connection(server.server_address, timeout=60)


def asked(server, *lines):
    """Send lines as a request and return all that comes back."""
    with connected(server) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        return received(connection)


def received(connection):
    answer = b""
    while chunk := connection.recv(1 << 20):
        answer += chunk
    return answer


def status(answer):
    return int(answer.split(b" ")[1]) if answer else 0


GET = ("GET /body HTTP/1.1", "Host: localhost", "Connection: close")


def test_two_hundred_slow_connections_and_a_thousand_readers_at_once(server):
    assert status(asked(server, *GET)) == 200
    slow = [connected(server) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"GET / HT")
    before = threading.active_count()
    answers = []
    connections = [connected(server) for _ in range(1000)]
    for connection in connections:
        connection.sendall("\r\n".join((*GET, "", "")).encode())
    for connection in connections:
        with connection:
            try:
                answers.append(status(received(connection)))
            except ConnectionError:
                answers.append(0)
    assert threading.active_count() == before
    assert len(answers) == 1000 and set(answers) <= {200, 0}
    assert answers.count(200) > 0 and status(asked(server, *GET)) == 200
    for connection in slow:
        connection.close()


def test_a_connection_that_does_not_ask_is_closed(server, monkeypatch):
    monkeypatch.setattr(serve, "HEADER_S", 0.05)
    with connected(server) as silent, connected(server) as dripping:
        dripping.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert received(silent) == b"" and received(dripping) == b""


@pytest.mark.parametrize(
    "lines",
    [
        ("GET / HTTP/1.1",),
        ("GET / HTTP/1.1", "Host: localhost", "Host: localhost"),
        ("GET / HTTP/1.1", "Host: localhost", "Host: evil.example"),
        ("GET / HTTP/1.1", "Host: evil@localhost"),
        ("GET / HTTP/1.1", "Host: localhost:80:evil"),
        ("GET / HTTP/1.1", "Host : localhost"),
        ("GET / HTTP/1.1", "Host: localhost", " folded: line"),
        ("GET /", "Host: localhost"),
        ("get / HTTP/1.1", "Host: localhost"),
        ("GET / HTTP/2.0", "Host: localhost"),
        ("\x00\x01", "Host: localhost"),
    ],
)
def test_what_is_no_request_or_names_no_one_host_is_refused(server, lines):
    assert status(asked(server, *lines)) == 400


def test_an_endless_header_is_refused(server):
    assert status(asked(server, *GET, f"X: {'x' * 50_000}")) == 431


def test_a_connection_brings_several_requests(server):
    with connected(server) as connection:
        one = b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(one + one + "\r\n".join((*GET, "", "")).encode())
        assert received(connection).count(b"HTTP/1.1 200 OK") == 3


def test_a_page_that_cannot_be_drawn_is_a_line_here_and_there(server, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise TypeError("no such\nfigure")

    simulated.write_run(tmp_path / "b", simulated.BOARDS[1], **SMALL)
    monkeypatch.setattr("inferometer.report.page.live.render_live", fail)
    line = "the report could not be made: TypeError: no such figure"
    for _ in range(2):
        answer = asked(server, *GET)
        assert status(answer) == 500 and answer.endswith(f"\r\n\r\n{line}\n".encode())
    assert [line] == SAID
    monkeypatch.undo()
    assert status(asked(server, *GET)) == 200
