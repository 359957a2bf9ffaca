"""A broker that takes some connections of a client and then no more."""

import contextlib
import socket
import threading
import time

import pytest

from broker import HOST, Broker
from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.built_in.mqtt import find
from inferometer.energy.meters.wire import Registered, encode_registration

pytestmark = pytest.mark.broker


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def join(near, broker):
    with near, socket.create_connection((HOST, broker.port)) as far:
        back = threading.Thread(target=pump, args=(far, near))
        back.start()
        pump(near, far)
        back.join()


@contextlib.contextmanager
def relay(broker, most):
    """Give the port of a way to the broker that takes so many connections, one after the other, and no more."""
    server, joined = socket.create_server((HOST, 0)), []

    def serve():
        for left in reversed(range(most)):
            near, _ = server.accept()
            if not left:
                server.close()
            joined.append(threading.Thread(target=join, args=(near, broker)))
            joined[-1].start()

    serving = threading.Thread(target=serve)
    serving.start()
    yield server.getsockname()[1]
    for thread in (serving, *joined):
        thread.join(5)


def test_a_broker_that_has_no_connection_for_a_second_device_keeps_none_for_the_first(tmp_path):
    broker = Broker(tmp_path, tls=False, password=False).start()
    try:
        speaker = Connection(Address.parse(broker.url()), {})
        speaker.open()
        devices = [Registered(name, f"EMA/{name}", "cpu") for name in ("a", "b")]
        speaker.publish("EMA/devices", encode_registration(devices), retain=True)
        time.sleep(0.3)
        speaker.close()
        with relay(broker, 2) as port:
            found = find({"INFEROMETER_MQTT": f"mqtt://{HOST}:{port}/EMA/devices"})
        assert not found.meters and "no broker at" in found.absences[0].line
        assert not [t.name for t in threading.enumerate() if "paho" in t.name]
    finally:
        broker.stop()
