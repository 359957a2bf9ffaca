"""Connect to an MQTT broker: address, TLS and credentials as EMA takes them, refusals as one clear line.

EMA_MQTT_TLS=ca[:cert:key]    certificate files; the client's own where the broker asks for one
EMA_MQTT_CREDS=user:password
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.energy.meters.addresses import split_address
from inferometer.errors import MeterError, UsageError
from inferometer.redaction import without_user

DEFAULT_TOPIC = "EMA/devices"
CONNECT_S = 3.0


@dataclass(frozen=True)
class Address:
    """Where a broker listens, and the topic of the registration."""

    host: str
    port: int
    topic: str
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read mqtt://HOST[:PORT][/TOPIC] (mqtts:// for TLS with the system's authorities); UsageError otherwise."""
        example = "write mqtt://host:1883/EMA/devices"
        parts, port = split_address(url, "broker address", example)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise UsageError(f"'{without_user(url)}' is no broker address; {example}")
        if parts.username or parts.password:
            raise UsageError(
                "a password in an address would be stored with the run; set EMA_MQTT_CREDS=user:password"
            )
        if "@" in parts.path:
            raise UsageError("a topic with @ looks like a password in what is stored; take another topic")
        if "+" in parts.path:
            raise UsageError(
                f"'{without_user(url)}' has a wildcard for its topic, and nothing is announced on such; {example}"
            )
        tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname, port or (8883 if tls else 1883), parts.path.strip("/") or DEFAULT_TOPIC, tls
        )

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}/{self.topic}"


class Connection:
    """A connection that is kept up: it reconnects by itself and subscribes again."""

    def __init__(self, address: Address, environ: Mapping[str, str]) -> None:
        """Prepare the client; MeterError if the environment's TLS or credentials cannot be used."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.address = address
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect_timeout = CONNECT_S
        self._client.reconnect_delay_set(1, 5)
        self._handlers: dict[str, tuple[Callable[[bytes], None], bool]] = {}
        self.round_trip_ns = 0  # to the broker and back, as of the latest subscription
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self._refusal = ""
        self._greeting: Callable[[], None] | None = None
        _set_credentials(self._client, environ.get("EMA_MQTT_CREDS", ""))
        _set_tls(self._client, environ.get("EMA_MQTT_TLS", ""), address.tls)
        self._client.on_connect = self._connected
        self._client.on_message = self._received
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def open(self, greeting: Callable[[], None] | None = None) -> None:
        """Connect; ``greeting`` is called after every (re)connect. MeterError (one line) if the broker is not to be had."""
        self._greeting = greeting
        try:
            self._client.connect(self.address.host, self.address.port, keepalive=15)
        except OSError as error:  # also ssl.SSLError and socket.timeout
            raise MeterError(f"no broker at {self.address}: {_why(error)}") from error
        self._client.loop_start()
        if not self._answered.wait(CONNECT_S):
            self.close()
            raise MeterError(
                f"the broker at {self.address} does not answer within {CONNECT_S:.0f} s (TLS? EMA_MQTT_TLS)"
            )
        if self._refusal:
            self.close()
            raise MeterError(
                f"the broker at {self.address} refuses the connection: {self._refusal} (EMA_MQTT_CREDS=user:password)"
            )

    def subscribe(self, topic: str, handler: Callable[[bytes], None], *, live_only: bool = False) -> None:
        """Call ``handler`` with each message on ``topic``, in the connection's own thread, from when this returns on.

        ``live_only``: not with one that the broker had kept from before.
        """
        self._handlers[topic] = (handler, live_only)
        self._subscribed.clear()
        start_ns = time.monotonic_ns()
        self._client.subscribe(topic)
        self._subscribed.wait(CONNECT_S)
        self.round_trip_ns = time.monotonic_ns() - start_ns

    def publish(self, topic: str, message: bytes, *, retain: bool = False) -> None:
        """Send a message; dropped while the broker is away."""
        self._client.publish(topic, message, retain=retain)

    def retract(self, topic: str) -> None:
        """Take back a retained message, waiting until that is sent; the broker's own will does it where it is away."""
        if self._client.is_connected():
            with contextlib.suppress(RuntimeError, ValueError):
                self._client.publish(topic, b"", retain=True).wait_for_publish(CONNECT_S)

    def will_retract(self, topic: str) -> None:
        """Have the broker take back a retained message when this connection is lost; to be called before `open`."""
        self._client.will_set(topic, b"", retain=True)

    def close(self) -> None:
        """Disconnect and end the connection's thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        del userdata, flags, properties
        self._refusal = str(code) if code.is_failure else ""
        if not self._refusal:
            for topic in tuple(self._handlers):
                client.subscribe(topic)
            if self._greeting is not None:
                self._greeting()
        self._answered.set()

    def _received(self, client: Any, userdata: Any, message: Any) -> None:
        del client, userdata
        handler, live_only = self._handlers.get(message.topic, (None, False))
        if handler is not None and not (live_only and message.retain):
            handler(message.payload)


def _set_credentials(client: Any, text: str) -> None:
    if not text:
        return
    user, separator, password = text.partition(":")
    if not user or not separator:
        raise MeterError("EMA_MQTT_CREDS is not of the form user:password")
    client.username_pw_set(user, password)


def _set_tls(client: Any, text: str, wanted: bool) -> None:
    if not text:
        if wanted:
            client.tls_set()
        return
    files = text.split(":")
    if len(files) not in (1, 3):
        raise MeterError("EMA_MQTT_TLS is not of the form ca or ca:cert:key")
    absent = [name for name in files if not Path(name).is_file()]
    if absent:
        raise MeterError(f"EMA_MQTT_TLS names {absent[0]}, which is no file")
    try:
        client.tls_set(*files)
    except OSError as error:
        raise MeterError(f"EMA_MQTT_TLS cannot be used: {_why(error)}") from error


def _why(error: OSError) -> str:
    return str(getattr(error, "verify_message", "") or error.strerror or error or type(error).__name__)
