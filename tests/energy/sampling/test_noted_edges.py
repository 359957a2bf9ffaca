"""What is read at the edges of regions: noted there, worked up later, with the same result."""

import gc
import threading
import weakref

import pytest

from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import Reading, Traits, failed_read
from inferometer.energy.sampling.sampler import Sampler
from inferometer.energy.track import MAX_READINGS, Track
from inferometer.errors import MeterError
from simulation import RAPL_COUNTER, S

COUNTER = Traits("counter", 0.001, resolution=1e-4, max_power_w=2000.0)


def test_what_was_noted_comes_before_what_is_appended_after_it():
    noted, appended = Track(COUNTER), Track(COUNTER)
    for second in range(1, 6):
        reading = Reading(second * S, second * S + 10, 5.0 * second)
        appended.append(reading)
        if second % 2:
            noted.note(tuple(reading))
        else:
            noted.append(reading)
    for track in (noted, appended):
        assert (len(track), track.last_ns) == (5, 5 * S + 10)
        assert list(track.window(S, 5 * S).energy_j) == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert noted.updated_ns == appended.updated_ns


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (MeterError("it has gone"), "it has gone"),
        (failed_read(ValueError("no number")), "reading failed with ValueError: no number"),
        (None, "reading failed with TypeError"),
        (float("nan"), "it gave nan"),
    ],
)
def test_a_read_that_failed_is_a_break_until_the_next_one(answer, reason):
    track = Track(COUNTER)
    track.note((1 * S, 1 * S, 5.0))
    track.note((2 * S, 2 * S, answer))
    assert reason in track.failed
    track.note((3 * S, 3 * S, 7.0))
    assert track.failed == ""
    (gap,) = track.window(0, 4 * S).breaks
    assert (gap.start_ns, gap.end_ns) == (1 * S, 3 * S) and reason in gap.reason


def test_a_meter_that_fails_at_the_edges_keeps_nothing_of_the_program_alive(monkeypatch):
    clock = SimulatedClock()
    meter = SimulatedMeter(PowerCurve.steady(80, 100), clock, RAPL_COUNTER)

    def lost():
        try:
            raise OSError("the device is lost")
        except OSError as error:
            raise MeterError("it is lost") from error

    monkeypatch.setattr(meter, "read", lost)
    sampler = Sampler([meter], clock)

    class Large:
        pass

    def program():
        held = Large()
        sampler.read_fast()
        return weakref.ref(held)

    gc.disable()
    try:
        assert program()() is None
    finally:
        gc.enable()
    (channel,) = sampler.channels.values()
    assert channel.track.failed == "it is lost"


def test_working_up_ends_though_more_is_noted_meanwhile(monkeypatch):
    track, later = Track(COUNTER), iter(range(2, 100))
    append = track._append

    def busy(reading):
        append(reading)
        track.note((next(later) * S, 0, 0.0))

    monkeypatch.setattr(track, "_append", busy)
    track.note((S, S, 0.0))
    track.catch_up()
    assert next(later) == 3


def test_nobody_who_asks_keeps_no_more_than_fits():
    track = Track(COUNTER)
    for place in range(MAX_READINGS + 100):
        track.note((place * 1000, place * 1000, float(place // 1000)))
    assert track.last_ns == (MAX_READINGS + 99) * 1000
    assert track.window(0, track.last_ns).energy_j[-1] == (MAX_READINGS + 99) // 1000


def test_edges_are_read_by_many_threads_at_once_and_none_is_lost():
    clock = SimulatedClock()
    meter = SimulatedMeter(PowerCurve.steady(80, 100), clock, RAPL_COUNTER)
    sampler = Sampler([meter], clock)
    (channel,) = sampler.channels.values()

    def edges():
        for _ in range(200):
            clock.time_ns += 1_000_000
            sampler.read_fast()

    threads = [threading.Thread(target=edges) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert channel.track.last_ns > 0.5 * S
    window = channel.track.window(0, clock.time_ns)
    assert (window.before_ns[1:] >= window.before_ns[:-1]).all()
    assert window.energy_j[-1] == pytest.approx(
        80 * (window.before_ns[-1] - window.before_ns[0]) / S, abs=0.2
    )
