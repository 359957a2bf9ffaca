"""A whole run, `inferometer run` itself, that reads another host's meter over a real broker; and what can go wrong."""

import os
import subprocess
import sys

import pytest

from broker import HOST, Broker, free_port, publishing
from inferometer.energy.meters.broker import Address, Connection
from inferometer.storage.run_directory import read_run
from steprunner import write_onnx

pytestmark = [pytest.mark.broker, pytest.mark.environment]
WATTS = 50
OPTIONS = [
    "--frameworks",
    "onnxrt",
    "--batch-sizes",
    "2",
    "--images",
    "8",
    "--loops",
    "3",
    "--warmup",
    "1",
    "--rounds",
    "1",
    "--threads",
    "1",
    "--device",
    "cpu",
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    started = Broker(tmp_path_factory.mktemp("broker")).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx")) / "image.onnx"


def run(model, out, environ, *options):
    """Run the command as a user does; return what it printed on standard error and the run as stored."""
    hidden = ("EMA_MQTT_TLS", "EMA_MQTT_CREDS", "INFEROMETER_MQTT")
    base = {key: value for key, value in os.environ.items() if key not in hidden}
    command = [sys.executable, "-m", "inferometer", "run", str(model), *OPTIONS, "--out", str(out), *options]
    done = subprocess.run(command, env=base | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr, read_run(out)


def test_a_run_tells_the_joules_of_another_hosts_meter(tmp_path, broker, model, monkeypatch):
    for key, value in broker.environ.items():
        monkeypatch.setenv(key, value)  # for the publisher
    url = broker.url("lab/run")
    with publishing(tmp_path / "tree", url, WATTS):
        _, stored = run(model, tmp_path / "run", broker.environ, "--meter", "mqtt", "--meter", url)
    (record,) = stored.records
    assert record.status == "ok"
    (device,) = record.energy.devices
    assert record.energy.primary == device.device_uid == "mqtt:package-0 rapl:package-0"
    assert (device.meter, device.source, device.device_type) == ("mqtt", "counter", "cpu")
    assert device.images == len(record.loops) * 8
    assert device.low_j < device.energy_j < device.high_j
    # both hosts' processes share this machine with other work: a loose limit
    assert device.energy_j == pytest.approx(WATTS * device.seconds, rel=0.15)
    assert record.energy.idle_w["before"] == pytest.approx(WATTS, rel=0.25)
    (facts,) = [meter for meter in stored.info.meters if "uid" in meter]
    assert facts["meter"] == "mqtt" and facts["push"]
    assert facts["period_s"] < 0.5  # as it was seen to come
    assert set(facts["idle_w"]) == {"before", "loaded", "after"}


def garbage(broker):
    connection = Connection(Address.parse(broker.url("lab/garbage")), broker.environ)
    connection.open()
    connection.publish("lab/garbage", b"\xff\x00 no registration \x80" * 9, retain=True)
    connection.close()
    return broker.url("lab/garbage"), broker.environ


TROUBLE = {
    "a wrong password": (
        lambda broker: (broker.url("lab/run"), broker.environ | {"EMA_MQTT_CREDS": "meter:wrong"}),
        "refuses the connection: Not authorized",
    ),
    "no broker": (lambda broker: (f"mqtt://{HOST}:{free_port()}/lab/run", {}), "Connection refused"),
    "garbage": (garbage, "malformed"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("by_option", [True, False], ids=["--meter", "INFEROMETER_MQTT"])
def test_trouble_is_one_line_and_the_run_ends_well_without_that_meter(
    tmp_path, broker, model, trouble, by_option
):
    make, said = TROUBLE[trouble]
    url, environ = make(broker)
    if by_option:
        err, stored = run(model, tmp_path / "run", environ, "--meter", "mqtt", "--meter", url)
    else:
        err, stored = run(model, tmp_path / "run", environ | {"INFEROMETER_MQTT": url})
    (line,) = [line for line in err.splitlines() if "no meter: mqtt" in line]
    assert said in line and url in line
    (record,) = stored.records
    assert (record.status, len(record.loops)) == ("ok", 3)
    assert said in record.energy.reason
    assert any(said in meter.get("reason", "") for meter in stored.info.meters)
