"""When readings of another host were taken: the interval must hold it, whatever publishers, clocks and networks do."""

import itertools

import numpy as np
import pytest

from inferometer.energy.meters.arrival_clock import ArrivalClock

MS, S = 1_000_000, 1_000_000_000


def place_all(messages, transit_ns=5 * MS):
    """Messages are (arrival, stamp or tick, width or None for a reading); return what became of the readings in the end."""
    clock, placed = ArrivalClock(transit_ns), []
    for arrival, sent, width in messages:
        if width is not None:
            clock.tick(arrival, sent, width)
            continue
        low, high, earlier = clock.place(arrival, sent)
        placed = [(one - earlier, other) for one, other in placed]
        placed.append((low, high))
    return placed


def stream(random, *, tells_time, count=150, period_s=0.5, locked=True, stall_s=0.0, drift=0.0):
    """Return the messages of one publisher, and when its readings were taken, by the reader's clock."""
    taken, messages, busy_until = [], [], 0.0
    apart = random.uniform(-1e4, 1e4)
    update_s = random.uniform(0.02, 0.4) * period_s
    phase = random.uniform(0, update_s)
    for number in range(count):
        sent = 10 + number * period_s * (1 if locked else random.uniform(0.9, 1.1))
        update = np.floor((sent - phase) / update_s) * update_s + phase
        if not taken or update > taken[-1]:
            taken.append(update)
            arrival = sent + random.exponential(0.0005) + (random.random() < 0.1) * random.uniform(0, 0.3)
            if number < stall_s / period_s:  # the way was blocked until then
                arrival = max(arrival, 10 + stall_s)
            arrival = busy_until = max(arrival, busy_until)
            own = [(t * (1 + drift) - apart) * S for t in (sent, update)]
            if tells_time:
                messages.append((round(arrival * S), round(own[0]), MS))
            messages.append((round(arrival * S) + 1, round(own[1]), None))
    return messages, [round(t * S) for t in taken]


@pytest.mark.parametrize("stall_s", [0.0, 1.2, 6.0])
@pytest.mark.parametrize("locked", [True, False], ids=["in step", "at any phase"])
@pytest.mark.parametrize("tells_time", [True, False], ids=["tells its time", "tells none"])
def test_intervals_hold_when_readings_were_taken(tells_time, locked, stall_s):
    """The first was dated to within 5 ms of its arrival, however late it came; the others by the least age, for which 5 ms were allowed."""
    widths = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        messages, taken = stream(
            random, tells_time=tells_time, locked=locked, stall_s=stall_s, drift=random.uniform(-5e-5, 5e-5)
        )
        placed = place_all(messages)
        wrong = [
            (number, low, at, high)
            for number, ((low, high), at) in enumerate(zip(placed, taken, strict=True))
            if not low - 1000 <= at <= high + 1000
        ]
        assert not wrong, (seed, len(wrong), wrong[:3])
        widths += [high - low for low, high in placed[-100:]]
    assert np.median(widths) < (15 * MS if tells_time else 1.2 * S)


def test_readings_stay_in_order():
    for seed in range(20):
        random = np.random.default_rng(seed)
        messages, _ = stream(random, tells_time=seed % 2 == 0, stall_s=3.0)
        lows = [low for low, _ in place_all(messages)]
        assert all(one <= other for one, other in itertools.pairwise(lows))


def test_the_quickest_message_ties_the_clocks():
    messages = [
        (
            7 * S + i * 100 * MS + (30 * MS if i % 3 else MS),
            i * 100 * MS,
            width,
        )
        for i in range(20)
        for width in (MS, None)
    ]
    low, high = place_all(messages)[-1]
    assert high - low >= 30 * MS  # it came late, or the publisher's clock was set
    low, high = place_all(messages[:-2])[-1]
    taken = 7 * S + 18 * 100 * MS
    assert low <= taken <= high < low + 10 * MS


def test_a_publisher_whose_clock_stands_still_dates_nothing():
    low, high = place_all([(i * 100 * MS, 5, None) for i in range(100)])[-1]
    assert high - low >= 99 * MS


@pytest.mark.parametrize("tells_time", [True, False])
@pytest.mark.parametrize("jump_s", [-3600.0, -0.3, 0.3, 3600.0])
def test_a_publishers_clock_that_is_set_dates_nothing_wrongly(jump_s, tells_time):
    """Its host slept (what it tells is then late for ever), was started again, or had its clock set."""
    messages = []
    taken = [10 * S + i * S // 2 for i in range(300)]
    for number, at in enumerate(taken):
        own = at + round((jump_s * S) if number >= 100 else 0)
        messages += [(at + MS, own, MS)] * tells_time + [(at + MS, own, None)]
    placed = place_all(messages)
    assert all(low <= at <= high for (low, high), at in zip(placed, taken, strict=True))
    if abs(jump_s) > 1:  # it is known by then
        assert placed[-1][1] - placed[-1][0] < (15 * MS if tells_time else S)


def test_one_that_tells_its_time_no_longer_is_read_as_others():
    messages = [(10 * S + i * S // 2 + MS, i * S // 2, width) for i in range(20) for width in (MS, None)]
    messages += [(30 * S + i * S // 2 + 300 * MS, 7 * S + i * S // 2, None) for i in range(20)]
    low, high = place_all(messages)[-1]
    assert low <= 30 * S + 19 * S // 2 <= high
