"""What LoadGen is told: when a queue is hopeless, and how long a test may take."""

import pytest

from inferometer.planning.load_request import LoadRequest
from inferometer.records import Batching
from inferometer.running.load import settings as load_settings
from inferometer.running.load.settings import least_s

LOAD = LoadRequest(("server", "offline", "single-stream", "multi-stream"), bounds_s=(0.01,), preset="mlperf")
BATCHING = Batching(8, 0.0, "powers")
MEASURED_S = {1: 0.1, 2: 0.15, 4: 0.25, 8: 0.4}  # twenty a second


def settings(scenario, **options):
    return load_settings.test_settings(scenario, LOAD, BATCHING, MEASURED_S, seed=(0,), **options)


def test_a_stall_that_the_percentile_forgives_ends_no_test():
    """LoadGen ends a test as soon as so many wait, whatever the percentile of the whole test would be."""
    told = settings("server", rate=10_000.0, bound_s=0.01)
    late = 0.01 * 10_000 * 600  # one in a hundred of the requests of 600 s
    assert told["server_max_async_queries"] > late
    short = load_settings.test_settings(
        "server", LoadRequest(("server",), bounds_s=(0.01,)), BATCHING, MEASURED_S, seed=(0,), rate=100.0, bound_s=0.01
    )  # fmt: skip
    assert short["server_max_async_queries"] < 0.2 * 5 * 100  # a queue that grows is seen all the same


@pytest.mark.parametrize(
    ("scenario", "expected_s"),
    [("offline", 24_576 / 20), ("single-stream", 100 * 0.1), ("multi-stream", 662 * 0.4)],
)
def test_a_test_of_a_slow_row_may_last_until_it_has_its_queries(scenario, expected_s):
    assert least_s(settings(scenario)) == pytest.approx(expected_s, rel=1e-3)


@pytest.mark.parametrize(("bound_s", "lasts_s"), [(0.05, 5), (1.0, 20), (30.0, 600)])
def test_a_server_test_is_long_beside_its_bound(bound_s, lasts_s):
    """At 1.2 times its capacity a server that is judged after 5 s keeps 90 % of requests within 1 s."""
    load = LoadRequest(("server",), bounds_s=(bound_s,))
    told = load_settings.test_settings(
        "server", load, BATCHING, MEASURED_S, seed=(0,), rate=20.0, bound_s=bound_s
    )
    assert told["min_duration_ms"] == lasts_s * 1e3 <= told["max_duration_ms"]


def test_a_server_lasts_until_its_queries_have_come():
    assert least_s(settings("server", rate=0.2, bound_s=10.0)) == pytest.approx(662 / 0.2)
