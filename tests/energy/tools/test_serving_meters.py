"""Meters that are served: over a real socket to other users, and as OpenMetrics to a real scrape."""

import contextlib
import grp
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from broker import wait_until
from inferometer.energy.meters.built_in import served
from inferometer.errors import MeterError
from ramps import WATTS

PROGRAM = [sys.executable, "-m", "inferometer"]


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
