"""The socket that lends meters to other users, and what its clients may do wrong."""

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from inferometer.cli import invoke
from inferometer.energy.meters.built_in import served
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.found import Found
from inferometer.energy.meters.selection import Selection
from inferometer.energy.tools.serve import Access, serving
from inferometer.energy.tools.shared_meters import SharedMeter
from inferometer.errors import MeterError, UsageError
from powercap import make_zone
from ramps import Ramp


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"hello\n", "not a question"),
        (b"[]\n", "not a question"),
        (b'{"ask": "write"}\n', "'write' is not known: ask meters or read"),
        (b'{"ask": "read", "uid": "../../etc/shadow"}\n', "no meter '../../etc/shadow' is served"),
        (b"\xff\n", "not a question"),
    ],
)
def test_whatever_a_client_says_it_is_told_one_line_and_others_go_on(ramp, line, told):
    _, environ = ramp
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(environ["INFEROMETER_METERS_SOCKET"])
        client.sendall(line)
        answer = client.makefile("rb").readline()
    assert told in answer.decode() and answer.count(b"\n") == 1
    (meter,) = served.find(environ).meters
    assert meter.read() > 0
    meter.close()


def test_a_client_that_never_ends_its_line_is_let_go(ramp):
    _, environ = ramp
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(environ["INFEROMETER_METERS_SOCKET"])
        client.settimeout(5)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"x" * (1 << 17))
            assert client.recv(10) == b""


def test_a_server_that_comes_back_is_read_again(tmp_path):
    shared = {"rapl:package-0": SharedMeter(Ramp())}
    path = tmp_path / "s"
    with serving(shared, path, Access()):
        (meter,) = served.find({"INFEROMETER_METERS_SOCKET": str(path)}).meters
        assert meter.read() > 0
        meter._line._socket.shutdown(socket.SHUT_RDWR)  # as when the server's process ends
    with pytest.raises(MeterError):
        meter.read()
    with pytest.raises(MeterError, match="No such file"):
        meter.read()
    with serving(shared, path, Access()):
        assert meter.read() > 0
        meter.close()


def test_something_else_that_listens_is_one_line(tmp_path):
    path = tmp_path / "other"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        def chat():
            line, _ = other.accept()
            line.recv(100)
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            line.close()

        thread = threading.Thread(target=chat)
        thread.start()
        session = discover(Selection.parse(["served"]), {"INFEROMETER_METERS_SOCKET": str(path)})
        thread.join()
    (absence,) = session.absences
    assert "is no 'inferometer meters serve'" in absence.line


def test_who_names_it_is_told_that_there_is_none_and_others_are_not(tmp_path):
    environ = {"INFEROMETER_POWERCAP": str(tmp_path / "none"), "INFEROMETER_HWMON": str(tmp_path)}
    if Path("/run/inferometer/meters.sock").exists():
        pytest.skip("meters are served on this machine")
    (absence,) = discover(Selection.parse(["served"]), environ).absences
    assert absence.line.endswith("(root starts it with: inferometer meters serve --group NAME)")
    assert not any(a.meter == "served" for a in discover(Selection(), environ).absences)
    assert served.find({"INFEROMETER_METERS_SOCKET": ""}) == Found()


def test_what_can_be_read_directly_is_and_terms_mean_it_either_way(ramp, tmp_path):
    _, environ = ramp
    environ |= {"INFEROMETER_POWERCAP": str(tmp_path / "tree"), "INFEROMETER_HWMON": str(tmp_path)}

    def kinds(*terms):
        found = discover(Selection.parse(["!nvml", *terms]), environ)
        for meter in found.meters:
            meter.close()
        return [type(meter).__name__ for meter in found.meters]

    assert kinds("rapl") == kinds("served") == kinds("type=cpu") == ["ServedMeter"]
    assert kinds("rapl", "!served") == kinds("type=gpu") == []
    make_zone(tmp_path / "tree" / "intel-rapl:0", "package-0")
    assert kinds("rapl") == kinds() == ["RaplMeter"]
    assert kinds("served") == ["ServedMeter"]


def test_a_socket_that_is_left_over_is_replaced_and_one_in_use_is_not(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with serving({}, path, Access()):
        with pytest.raises(UsageError, match="already"), serving({}, path, Access()):
            pass
        assert path.is_socket()
    path.write_text("mine")
    with pytest.raises(UsageError, match="no socket"), serving({}, path, Access()):
        pass
    assert path.read_text() == "mine"
    with pytest.raises(UsageError, match="no such group"), serving({}, tmp_path / "t", Access("no-such")):
        pass


def test_a_port_that_is_taken_and_nothing_to_serve_are_one_line(folder, zone, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        meters = ["meters", "--powercap", str(folder / "tree"), "--meter", "rapl", "serve"]
        assert invoke([*meters, "--port", port]) == 2
        assert "in use; give another" in capsys.readouterr().err
        assert invoke([*meters, "--group", "a", "--everyone"]) == 2
    empty = tmp_path / "x"
    empty.mkdir()
    assert invoke(["meters", "--powercap", str(empty), "--meter", "rapl", "serve", "--port", "0"]) == 1
    assert "nothing to serve: no meter: rapl" in capsys.readouterr().err
