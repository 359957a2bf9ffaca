"""Meters that are served: over a real socket to other users, and as OpenMetrics to a real scrape."""

import contextlib
import grp
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from broker import wait_until
from inferometer.cli import invoke
from inferometer.energy.meters.built_in import served
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.found import Found
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.tools.serve import Access, serving
from inferometer.energy.tools.shared_meters import SharedMeter
from inferometer.errors import MeterError, UsageError
from powercap import drawing, make_zone

PROGRAM = [sys.executable, "-m", "inferometer"]
WATTS = 50


@contextlib.contextmanager
def server(tree, *options):
    """Run `inferometer meters serve` over a powercap tree; yield the process and the address of its metrics."""
    command = [
        *PROGRAM,
        "meters",
        "--powercap",
        str(tree),
        "--meter",
        "rapl",
        "serve",
        "--port",
        "0",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "package-0 (cpu, rapl)\n"
            url = process.stdout.readline().removeprefix("metrics: ").strip()
            process.stdout.readline()
            yield process, url
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.fixture
def folder():
    """A folder that every user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def zone(folder):
    with drawing(make_zone(folder / "tree" / "intel-rapl:0", "package-0"), WATTS) as made:
        yield made


def scrape(url):
    asked = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample for family in families for sample in family.samples}


def test_metrics_are_openmetrics_with_joules_watts_source_and_interval(folder, zone):
    with server(folder / "tree", "--interval", "0.05") as (_, url):
        wait_until(lambda: "inferometer_power_high_watts" in scrape(url), "power is known")
        before_s, first = time.monotonic(), scrape(url)
        time.sleep(1.0)
        second, after_s = scrape(url), time.monotonic()
    counted = second["inferometer_energy_joules_total"]
    assert counted.labels == {
        "uid": "rapl:package-0",
        "name": "package-0",
        "type": "cpu",
        "meter": "rapl",
        "source": "counter",
    }
    step_j = counted.value - first["inferometer_energy_joules_total"].value
    assert 0.5 * WATTS < step_j < 1.5 * WATTS * (after_s - before_s)
    low, high = (second[f"inferometer_power_{end}_watts"].value for end in ("low", "high"))
    assert 0 < low <= WATTS * 1.1 and high >= WATTS * 0.9
    assert second["inferometer_meter_up"].value == 1.0
    assert second["inferometer_update_age_seconds"].value < 5


def as_user(uid, gid):
    """Return what to put before a command so that another user runs it; skips where that cannot be."""
    tool = shutil.which("setpriv")
    if os.geteuid() != 0 or tool is None:
        pytest.skip("only root becomes another user, by setpriv (util-linux)")
    return [tool, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all"]


def measured(folder, user, *terms):
    """Return what `inferometer measure` tells another user, whom the counters are closed to."""
    environ = {
        **os.environ,
        "INFEROMETER_POWERCAP": str(folder / "tree"),
        "INFEROMETER_METERS_SOCKET": str(folder / "run" / "meters.sock"),
        "INFEROMETER_METERS": str(folder / "characterized"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = [word for term in terms for word in ("--meter", term)]
    command = [*as_user(*user), *PROGRAM, "measure", *options, "--", "sleep", "1"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, cwd="/", check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


NOBODY = 65534


def test_a_user_to_whom_rapl_is_closed_measures_through_the_socket(folder, zone):
    as_user(NOBODY, NOBODY)
    (zone / "energy_uj").chmod(0o400)
    path = folder / "run" / "meters.sock"
    with server(folder / "tree", "--socket", str(path), "--everyone"):
        told = measured(folder, (NOBODY, NOBODY), "rapl")
        assert "energy  package-0 (cpu, rapl): " in told and " W, counter" in told
    assert not path.exists()


def test_a_group_may_and_others_may_not(folder, zone):
    as_user(NOBODY, NOBODY)
    (zone / "energy_uj").chmod(0o400)
    group = grp.getgrgid(NOBODY).gr_name
    path = folder / "run" / "meters.sock"
    with server(folder / "tree", "--socket", str(path), "--group", group):
        assert path.stat().st_mode & 0o777 == 0o660
        assert " W, counter" in measured(folder, (12345, NOBODY), "served")
        told = measured(folder, (12345, 12345), "served")
        assert "is not open to this user (join the group that owns it" in told


class Ramp:
    """A counter that goes up by a joule a read."""

    def __init__(self, uid="rapl:package-0"):
        self.device, self.traits, self.reads = MeteredDevice(uid, "ramp", "cpu", "rapl"), Traits("counter"), 0

    def read(self):
        self.reads += 1
        return float(self.reads)

    def conditions(self):
        return {}

    def close(self):
        pass


@pytest.fixture
def ramp(tmp_path):
    meter = Ramp()
    shared = {meter.device.uid: SharedMeter(meter)}
    with serving(shared, tmp_path / "s", Access()):
        yield meter, {"INFEROMETER_METERS_SOCKET": str(tmp_path / "s")}


def test_no_value_is_read_anew_more_often_than_every_10_ms(ramp):
    meter, environ = ramp
    (client,) = served.find(environ).meters
    begin = time.monotonic()
    while time.monotonic() < begin + 0.3:
        client.read()
    assert meter.reads <= (time.monotonic() - begin) / 0.01 + 1
    assert client.traits.period_s == 0.01
    client.close()
    with pytest.raises(MeterError, match="closed"):
        client.read()


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
    assert (
        invoke(["meters", "--powercap", str(tmp_path / "x"), "--meter", "rapl", "serve", "--port", "0"]) == 1
    )
    assert "nothing to serve: no meter: rapl" in capsys.readouterr().err
