"""Meters as OpenMetrics, for Prometheus and its kin: joules as counters, watts with their interval and source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inferometer.energy.integration.joules import Joules
from inferometer.energy.sampling.channel import Channel
from inferometer.energy.session import Session
from inferometer.energy.tools.publish import latest
from inferometer.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ADDRESS = "127.0.0.1"  # others reach it through a proxy of theirs, which can ask who they are
WINDOW_S = 10.0  # that watts are the mean over
LEAST_WINDOW_S = 0.5
_LABELS = ("uid", "name", "type", "meter", "source")


class Collector:
    """What `prometheus_client` asks at each scrape."""

    def __init__(self, session: Session) -> None:
        """Report what ``session``, which has been started, measures from now on."""
        self._session = session
        self._since_ns = session.clock.now_ns()

    def collect(self) -> Iterator[Metric]:
        """Yield the families: energy, power with its interval, age of the latest update, whether a meter works."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        energy = CounterMetricFamily(
            "inferometer_energy", "Joules since serving began, as of the meter's latest update.", labels=_LABELS, unit="joules"
        )  # fmt: skip
        ends = {
            "": "Mean power over the last {window:g} s.",
            "_low": "Lower end of the 95 % interval of that power.",
            "_high": "Upper end of the 95 % interval of that power.",
        }
        powers = {
            end: GaugeMetricFamily(
                f"inferometer_power{end}", text.format(window=WINDOW_S), labels=_LABELS, unit="watts"
            )
            for end, text in ends.items()
        }
        age = GaugeMetricFamily(
            "inferometer_update_age", "Since the meter's latest update.", labels=_LABELS[:4], unit="seconds"
        )
        works = GaugeMetricFamily(
            "inferometer_meter_up", "1 while the meter can be read.", labels=_LABELS[:4]
        )
        for uid, channel in self._session.channels.items():
            device = channel.meter.device
            names = [device.uid, device.name, device.type, device.meter]
            works.add_metric(names, 0.0 if channel.track.failed else 1.0)
            reading = latest(channel)
            if reading is None:
                continue
            source = "counter" if channel.meter.traits.kind == "counter" else "sampled"
            energy.add_metric([*names, source], reading.energy_uj / 1e6)
            age.add_metric(names, max(self._session.clock.now_ns() / 1e9 - reading.time_us / 1e6, 0.0))
            for end, joules in _recent(self._session, uid, channel, self._since_ns):
                powers[end].add_metric([*names, joules[0]], joules[1])
        yield from (energy, *powers.values(), age, works)


def _recent(
    session: Session, uid: str, channel: Channel, since_ns: int
) -> Iterator[tuple[str, tuple[str, float]]]:
    """Yield which end, and (source, watts), of the mean power until shortly before the latest update, as far as it is known."""
    track = channel.track
    enclosed_s = 2 * max(channel.period_s, session.sampler.pacing.pace_s)  # by updates after it
    end_ns = track.last_ns - round(enclosed_s * 1e9)
    start_ns = max(end_ns - round(WINDOW_S * 1e9), since_ns)
    seconds = (end_ns - start_ns) / 1e9
    if seconds < LEAST_WINDOW_S or track.failed:
        return
    (joules,) = session.parts(uid, [(start_ns, end_ns)])
    for end, value in _figures(joules):
        if value is not None:
            yield end, (joules.source, value / seconds)


def _figures(joules: Joules) -> tuple[tuple[str, float | None], ...]:
    return ("", joules.energy_j), ("_low", joules.low_j), ("_high", joules.high_j)


@contextlib.contextmanager
def exporting(session: Session, port: int) -> Iterator[int]:
    """Serve the session's meters over HTTP on this host's loopback; yield the port. UsageError if it is taken."""
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(session))
    try:
        server, thread = start_http_server(port, ADDRESS, registry)
    except OSError as error:
        raise UsageError(
            f"--port {port}: {error.strerror}; give another, or 0 for any that is free"
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
