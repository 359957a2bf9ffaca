"""Network meters over a real broker: what one side publishes the other reads; trouble is one line."""

import gc
import signal
import struct
import sys
import threading
import time

import pytest

from broker import HOST, Broker, free_port, publishing, wait_until
from inferometer.cli import invoke
from inferometer.energy import open_session
from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.built_in import mqtt
from inferometer.energy.meters.built_in.mqtt import find
from inferometer.energy.meters.wire import Registered, encode_reading, encode_registration
from inferometer.energy.tools.publish import Publisher
from inferometer.errors import MeterError, UsageError
from powercap import make_zone, set_counter

pytestmark = pytest.mark.broker
WATTS = 50


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("broker")).start()
    yield broker
    broker.stop()


@pytest.fixture
def environ(monkeypatch, secured):
    for key, value in secured.environ.items():
        monkeypatch.setenv(key, value)
    return dict(secured.environ)


class Host:
    """A machine with one package that draws `WATTS`, publishing its powercap meters."""

    def __init__(self, folder, url, environ, interval_s=0.02):
        self.zone = make_zone(folder / "intel-rapl:0", "package-0")
        self.session = open_session(meters=["rapl"], powercap=str(folder))
        self.publisher = Publisher(self.session, Address.parse(url), environ)
        self.stop_event = threading.Event()
        self.threads = [
            threading.Thread(target=self._consume),
            threading.Thread(target=self.publisher.run, args=(self.stop_event, interval_s)),
        ]

    def __enter__(self):
        self.session.start()
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.publisher.sent, "something is published")
        return self

    def __exit__(self, *exc):
        self.stop_event.set()
        for thread in self.threads:
            thread.join()
        self.session.close()

    def _consume(self):
        begin = time.monotonic()
        while not self.stop_event.wait(0.001):
            set_counter(self.zone, round((time.monotonic() - begin) * WATTS * 1e6))


def test_one_host_reads_anothers_meters_over_tls_with_a_password(tmp_path, secured, environ):
    with (
        Host(tmp_path, secured.url("lab/a"), environ),
        open_session("cpu", ["mqtt", secured.url("lab/a")]) as session,
    ):
        (meter,) = session.meters
        assert (meter.device.uid, meter.device.type) == ("mqtt:package-0 rapl:package-0", "cpu")
        wait_until(
            lambda: session.sampler.channels[meter.device.uid].track.last_ns, "the first reading comes"
        )
        time.sleep(0.3)  # real time has to pass for real messages
        start = time.monotonic_ns()
        time.sleep(1.0)
        end = time.monotonic_ns()
        energy = session.energy([(start, end, 512)])
        (device,) = energy.devices
        assert device.source == "counter", device
        # the two hosts' threads share this machine with other work: a loose limit, the interval is what is tested
        assert device.energy_j == pytest.approx(WATTS * device.seconds, rel=0.15)
        assert energy.primary == device.device_uid


def test_a_broker_restart_costs_no_energy(tmp_path):
    broker = Broker(tmp_path, tls=False, password=False).start()
    try:
        with (
            Host(tmp_path / "tree", broker.url(), {}) as host,
            open_session("cpu", ["mqtt", broker.url()]) as session,
        ):
            (uid,) = session.sampler.channels
            track = session.sampler.channels[uid].track
            wait_until(lambda: len(track) > 10, "readings come")
            start = time.monotonic_ns()
            broker.stop()
            silent = track.last_ns
            broker.start()
            wait_until(lambda: track.last_ns > silent + 500_000_000, "readings come again", 20)
            wait_until(lambda: track.last_ns > start + 1_000_000_000, "a second has passed", 20)
            end = track.last_ns - 100_000_000
            read, published = session.span(start, end)[uid], host.session.span(start, end)["rapl:package-0"]
            assert read.high_j is not None
            assert read.low_j <= published.high_j
            assert read.high_j >= published.low_j > 0
    finally:
        broker.stop()


class Talker:
    """Says anything on any topic."""

    def __init__(self, broker):
        self.connection = Connection(Address.parse(broker.url()), broker.environ)

    def __enter__(self):
        self.connection.open()
        return self

    def __exit__(self, *exc):
        self.connection.close()

    def announce(self, topic, message):
        self.connection.publish(topic, message, retain=True)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\x01\x01\x00" + struct.pack("<Q", 2**63) + b"x", "claims 9223372036854775808 bytes"),
        (encode_registration([Registered("psu", "EMA/psu")])[:20], "malformed"),
        (b"hello", "version 104"),
        (encode_registration([]), "names no device"),
    ],
)
def test_malformed_registrations_are_one_line_and_the_run_goes_on(message, said, secured, environ):
    topic = f"hostile/{abs(hash(said))}"
    with Talker(secured) as talker:
        talker.announce(topic, message)
        session = open_session("cpu", ["mqtt", secured.url(topic)])
    assert session.meters == ()
    (reason,) = session.reasons
    assert said in reason and "\n" not in reason
    assert session.energy([(1, 2, 3)]).reason.startswith("no meter: mqtt")


def test_malformed_readings_are_dropped_and_counted_and_a_jump_is_told(secured, environ):
    with Talker(secured) as talker:
        talker.announce("psu/devices", encode_registration([Registered("psu", "psu/0")]))
        with open_session("cpu", ["mqtt", secured.url("psu/devices")]) as session:
            (meter,) = session.meters
            track = session.sampler.channels[meter.device.uid].track
            for message in (b"", b"\xff" * 15, b"\x00" * 4096):
                talker.connection.publish("psu/0", message)
            wait_until(lambda: meter.malformed == 3, "the malformed messages came")
            start = time.monotonic_ns()
            talker.connection.publish("psu/0", encode_reading(5_000_000, 1_000_000))
            wait_until(lambda: len(track) == 1, "the first reading came")
            talker.connection.publish("psu/0", encode_reading(2**64 - 1, 1_100_000))
            wait_until(lambda: len(track) == 2, "the second reading came")
            assert "jumped" in track.breaks[0].reason
            device = session.energy([(start, time.monotonic_ns(), 8)]).devices[0]
            assert device.unresolved and "jumped" in device.reason
            assert device.low_j <= device.energy_j <= device.high_j
            assert meter.conditions() == {"malformed_messages": 3}


def test_hosts_that_call_their_sockets_alike_are_told_apart(secured, environ):
    topics = ("two/a", "two/b")
    with Talker(secured) as talker:
        for topic in topics:
            names = [f"package-{number} rapl:package-{number}" for number in range(2)]
            sockets = [Registered(name, f"{topic}/{name[-1]}", "cpu") for name in names]
            talker.announce(topic, encode_registration(sockets))
        with open_session("cpu", ["mqtt", *(secured.url(topic) for topic in topics)]) as session:
            start = time.monotonic_ns()
            time.sleep(0.2)
            energy = session.energy([(start, time.monotonic_ns(), 8)])
    there = f" {secured.url(topics[1])}"
    first, second = (f"mqtt:package-{number} rapl:package-{number}" for number in range(2))
    assert [device.device_uid for device in energy.devices] == [
        first, second, first + there, second + there, f"{first}+{second}", f"{first}{there}+{second}{there}"
    ]  # fmt: skip


class TestNoBroker:
    def reason(self, url, environ):
        (absence,) = find({**environ, "INFEROMETER_MQTT": url}).absences
        assert "\n" not in absence.line
        return absence.line

    def test_wrong_password(self, secured):
        environ = secured.environ | {"EMA_MQTT_CREDS": "meter:wrong"}
        assert "refuses the connection: Not authorized" in self.reason(secured.url(), environ)

    def test_nobody_listens(self):
        assert "Connection refused" in self.reason(f"mqtt://{HOST}:{free_port()}/x", {})

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_authority_that_did_not_sign(self, secured, tmp_path):
        other = Broker(tmp_path, password=False)
        environ = secured.environ | {"EMA_MQTT_TLS": other.environ["EMA_MQTT_TLS"]}
        assert "no broker at" in self.reason(secured.url(), environ)
        gc.collect()  # paho leaves the socket of a failed handshake to the collector

    def test_plain_text_to_a_tls_port(self, secured):
        environ = {"EMA_MQTT_CREDS": secured.environ["EMA_MQTT_CREDS"]}
        assert "TLS" in self.reason(secured.url(), environ)

    def test_nothing_announced(self, secured):
        assert "no meter is announced" in self.reason(secured.url("nobody/here"), secured.environ)

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("EMA_MQTT_CREDS", "nocolon", "user:password"),
            ("EMA_MQTT_TLS", "/nowhere/ca.pem", "no file"),
            ("EMA_MQTT_TLS", "a:b", "ca or ca:cert:key"),
        ],
    )
    def test_settings_that_mean_nothing(self, key, value, said):
        assert said in self.reason(f"mqtt://{HOST}:1/x", {key: value})


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://",
        "mqtt://h:99999/x",
        "http://h/x",
        "mqtt://user:pass@h/x",
        f"mqtt://{64 * 'h'}/x",
        "mqtt://h..h",
        "mqtt://h/+/x",
    ],
)
def test_addresses_that_mean_nothing_take_no_other_with_them(url, secured, environ):
    with pytest.raises(UsageError):
        Address.parse(url)
    with Talker(secured) as talker:
        talker.announce("beside", encode_registration([Registered("psu", "beside/0")]))
        found = find({**environ, "INFEROMETER_MQTT": f"{url} {secured.url('beside')}"})
    assert [meter.device.uid for meter in found.meters] == ["mqtt:psu"]
    assert len(found.absences) == 1 and "\n" not in found.absences[0].line
    for meter in found.meters:
        meter.close()


def test_publish_on_one_side_and_measure_on_the_other(tmp_path, secured, environ, capfd, monkeypatch):
    """The commands themselves: this machine's powercap files are published; `measure` reads them from the broker."""
    url = secured.url("lab/cli")
    measure = ["measure", "--meter", "mqtt", "--meter", url]
    sleeping = [sys.executable, "-c", "import time; time.sleep(1.5)"]
    with publishing(tmp_path, url) as publisher:
        assert invoke([*measure, "--", *sleeping]) == 0
        err = capfd.readouterr().err
        assert "energy  package-0 rapl:package-0 (cpu, mqtt): " in err and " W, counter" in err, err
        monkeypatch.setenv("EMA_MQTT_CREDS", "meter:wrong")
        assert invoke([*measure, "--", *sleeping]) == 0  # the command runs all the same
        assert "refuses the connection: Not authorized" in capfd.readouterr().err
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(10) == 0
        assert "readings sent" in publisher.stdout.read()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_a_publisher_that_is_gone_is_announced_no_longer(tmp_path, secured, environ, monkeypatch, ending):
    """It takes its retained announcement back itself, or the broker does by its last will."""
    monkeypatch.setattr(mqtt, "REGISTRATION_S", 0.5)
    address = Address.parse(secured.url(f"lab/gone-{ending}"))

    def announced():
        try:
            return bool(mqtt.read_registration(address, environ))
        except MeterError as error:
            assert "no meter is announced" in str(error)
            return False

    with publishing(tmp_path, secured.url(address.topic)) as publisher:
        wait_until(announced, "it is announced")
        publisher.send_signal(ending)
        publisher.wait(10)
        wait_until(lambda: not announced(), "it is announced no longer")
