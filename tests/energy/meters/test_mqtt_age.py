"""How old what a broker hands out may be: retained, sent late, held up on the way. Intervals hold what was drawn all the same."""

import contextlib
import random
import socket
import threading
import time

import pytest

from broker import HOST, Broker, wait_until
from inferometer.energy import open_session
from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.wire import Registered, encode_reading, encode_registration
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.session import Session
from inferometer.energy.tools.publish import Publisher

pytestmark = pytest.mark.broker
S = 1_000_000_000
TURN_S, HIGH_W, LOW_W = 0.35, 200.0, 5.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    started = Broker(tmp_path_factory.mktemp("broker"), tls=False, password=False).start()
    yield started
    started.stop()


def drawn_j(at_s):
    """What is drawn by turns of `TURN_S`, much and little."""
    turns, part = divmod(at_s, 2 * TURN_S)
    return turns * TURN_S * (HIGH_W + LOW_W) + HIGH_W * min(part, TURN_S) + LOW_W * max(part - TURN_S, 0.0)


class SlowMeter:
    """A counter of this host, updated every 0.1 s."""

    device = MeteredDevice("slow:0", "slow", "external", "slow")
    traits = Traits("counter", 0.1, resolution=1e-3)

    def read(self):
        return drawn_j(time.monotonic() // 0.1 * 0.1)

    def conditions(self):
        return {}

    def close(self):
        pass


@contextlib.contextmanager
def ours(broker, topic):
    """`inferometer meters publish` of a slow counter."""
    stop = threading.Event()
    with Session([SlowMeter()]) as session:
        publisher = Publisher(session, Address.parse(broker.url(topic)), {})
        thread = threading.Thread(target=publisher.run, args=(stop, 0.3))
        thread.start()
        try:
            wait_until(lambda: publisher.sent, "something is published")
            yield
        finally:
            stop.set()
            thread.join()


@contextlib.contextmanager
def anothers(broker, topic):
    """A publisher that keeps step with its meter, whose readings are always 0.25 s old when they are sent."""
    stop, own_us = threading.Event(), 3_000_000_000  # its clock began earlier than this one
    connection = Connection(Address.parse(broker.url(topic)), {})
    connection.open()
    connection.publish(topic, encode_registration([Registered("rack", f"{topic}/rack")]), retain=True)

    def publish():
        while not stop.wait(0.3):
            taken = time.monotonic() - 0.25
            reading = encode_reading(round(drawn_j(taken) * 1e6), round(taken * 1e6) + own_us)
            connection.publish(f"{topic}/rack", reading)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        connection.retract(topic)
        connection.close()


@contextlib.contextmanager
def way(broker, delay_s=0.0, held_s=0.0):
    """Give the port of a way to the broker on which everything takes so long, and what was sent in the beginning more."""
    server, begun, ends, threads = socket.create_server((HOST, 0)), time.monotonic(), [], []

    def carry(source, sink, hold_s):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                time.sleep(delay_s)
                if data[0] >> 4 == 3:  # a message, not an answer
                    time.sleep(max(begun + hold_s - time.monotonic(), 0))
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                near = server.accept()[0]
                far = socket.create_connection((HOST, broker.port))
                ends.extend((near, far))
                for source, sink in ((near, far), (far, near)):
                    begin(carry, source, sink, held_s)

    def begin(work, *given):
        threads.append(threading.Thread(target=work, args=given, daemon=True))
        threads[-1].start()

    begin(serve)
    try:
        yield server.getsockname()[1]
    finally:
        for one in (server, *ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for one in (server, *ends):
            one.close()


WAYS = {"at once": {}, "slow": {"delay_s": 0.06}, "held up": {"held_s": 2.0}}


@pytest.mark.parametrize("taken", WAYS)
@pytest.mark.parametrize("publisher", [ours, anothers])
def test_intervals_hold_what_was_drawn_however_old_readings_are(broker, publisher, taken):
    """A reading was taken for 5 ms old at most, whatever its publisher had waited for, and the first for as new as its arrival."""
    topic = f"age/{publisher.__name__}/{taken.replace(' ', '-')}"
    with (
        publisher(broker, topic),
        way(broker, **WAYS[taken]) as port,
        open_session(meters=["mqtt", f"mqtt://{HOST}:{port}/{topic}"]) as session,
    ):
        (uid,) = session.channels
        start = time.monotonic_ns()
        wait_until(lambda: len(session.channels[uid].track) >= 15, "readings come", 20)
        end = time.monotonic_ns()
        generator, spans = random.Random(1), []
        for _ in range(60):
            first = generator.randint(start, end - S)
            spans.append((first, first + generator.randint(S // 10, S)))
        found = session.parts(uid, spans)
    wrong = []
    for (first, last), joules in zip(spans, found, strict=True):
        truth_j = drawn_j(last / S) - drawn_j(first / S)
        if not joules.low_j - 1e-3 <= truth_j <= joules.high_j + 1e-3:
            wrong.append((joules, truth_j))
    assert not wrong, (len(wrong), wrong[:2])
    long = sorted(j.high_j - j.low_j for j in found)[len(found) // 2]
    assert long < HIGH_W * 2.2  # they still say something: a reading every 0.3 s


def test_a_retained_reading_tells_nothing(broker):
    """It was taken for current: an hour's joules fell into the first second."""
    topic = "age/retained"
    connection = Connection(Address.parse(broker.url(topic)), {})
    connection.open()
    try:
        connection.publish(topic, encode_registration([Registered("rack", f"{topic}/rack")]), retain=True)
        connection.publish(f"{topic}/rack", encode_reading(1_000_000, 1_000_000), retain=True)
        with open_session(meters=["mqtt", broker.url(topic)]) as session:
            ((uid, channel),) = session.channels.items()
            for number in range(3):
                time.sleep(0.2)
                reading = encode_reading(3_600_000_000 + number * 1_000_000, 3_600_000_000 + number * 200_000)
                connection.publish(
                    f"{topic}/rack", reading, retain=True
                )  # new ones, kept for whoever comes later
            wait_until(lambda: len(channel.track) == 3, "the new readings come")
            window = channel.track.window(0, time.monotonic_ns())
            assert list(window.energy_j) == [0.0, 1.0, 2.0] and not window.breaks
            assert channel.meter.read() == 3602.0 and uid == "mqtt:rack"
    finally:
        connection.retract(f"{topic}/rack")
        connection.retract(topic)
        connection.close()
