"""LoadGen's TestSettings for one test; durations and counts are the preset's, the rest follows from measured batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inferometer.planning.load_request import LoadRequest
from inferometer.records import Batching, ScenarioName
from inferometer.records.scenario import AuditName
from inferometer.running.load.queueing import capacity, service_of

SAMPLES_A_QUERY = 8  # of a multi-stream, as in MLPerf's rules
_LOADGEN_NAMES: Mapping[ScenarioName, str] = {
    "single-stream": "SingleStream",
    "multi-stream": "MultiStream",
    "server": "Server",
    "offline": "Offline",
}
_PERCENTILE_NAMES = {
    "single-stream": "single_stream_target_latency_percentile",
    "multi-stream": "multi_stream_target_latency_percentile",
}
_STREAM_PERCENTILES = {"single-stream": 0.9, "multi-stream": 0.99}  # MLPerf's
_HOPELESS = 4  # times as many requests as may wait at the bound: the queue grows without end
# a server test lasts so many times the bound: in a shorter one a queue that grows may end within it
_BOUNDS = 20
_FORGIVEN = 2  # times as many late ones as the percentile allows, which one stall may make wait at once
_MORE = 1.1  # of an offline test than is expected
_AHEAD = 2.0  # LoadGen draws its queries beforehand: of streams twice as many as are expected


def test_settings(
    scenario: ScenarioName,
    load: LoadRequest,
    batching: Batching,
    measured_s: Mapping[int, float],
    *,
    seed: tuple[int, ...],
    rate: float = 0.0,
    bound_s: float = 0.0,
) -> dict[str, Any]:
    """Return the fields to set; ``rate`` (requests/s) and ``bound_s``: of a server test; ``seed``: what makes this test's arrivals its own.

    ``rate``: of offline the samples/s that are known of a test before, if any.
    """
    length = load.length
    draws = np.random.SeedSequence(seed).generate_state(3, np.uint64) >> np.uint64(1)
    names = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
    settings: dict[str, Any] = {
        "scenario": _LOADGEN_NAMES[scenario],
        "mode": "PerformanceOnly",
        "min_duration_ms": round(length.min_s * 1e3),
        "max_duration_ms": round(length.max_s * 1e3) if scenario != "offline" else 0,
        "min_query_count": length.queries_of(scenario, load.percentile),
        **{name: int(draw) for name, draw in zip(names, draws, strict=True)},
    }
    if scenario == "server":
        return settings | _server(load, batching, rate, bound_s)
    if scenario == "offline":
        expected = max(capacity(measured_s, batching.instances), rate)
        return settings | {"offline_expected_qps": _MORE * expected}
    settings[_PERCENTILE_NAMES[scenario]] = _STREAM_PERCENTILES[scenario]
    if scenario == "single-stream":
        expected_s = service_of(measured_s)(1)
        return settings | {"single_stream_expected_latency_ns": round(expected_s / _AHEAD * 1e9)}
    expected_s = query_s(batching, measured_s)
    return settings | {
        "multi_stream_samples_per_query": SAMPLES_A_QUERY,
        "multi_stream_expected_latency_ns": round(expected_s / _AHEAD * 1e9),
    }


def least_s(settings: Mapping[str, Any]) -> float:
    """Return the seconds that a test takes at least until it has the queries that it must have."""
    count, kind = settings["min_query_count"], settings["scenario"]
    if kind == "Server":
        return float(count / settings["server_target_qps"])
    if kind == "Offline":
        return float(_MORE * count / settings["offline_expected_qps"])
    name = "single_stream" if kind == "SingleStream" else "multi_stream"
    return float(count * settings[f"{name}_expected_latency_ns"] * _AHEAD / 1e9)


SAMPLED = 512  # responses of a performance run that are logged for the audit


def as_accuracy(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of LoadGen's accuracy mode: every sample once, every response logged."""
    hopeful = {"server_max_async_queries": 0} if "server_target_qps" in settings else {}
    return {**settings, **hopeful, "mode": "AccuracyOnly", "max_duration_ms": 0}


def as_audit(settings: dict[str, Any], audit: AuditName) -> dict[str, Any]:
    """Return a performance test's settings as an audit's: responses sampled (TEST01), or one input only (TEST04)."""
    if audit == "accuracy":
        return {**settings, "accuracy_log_rng_seed": 7, "accuracy_log_sampling_target": SAMPLED}
    return {**settings, "performance_issue_same": True, "performance_issue_same_index": 0}


def query_s(batching: Batching, measured_s: Mapping[int, float]) -> float:
    """Return the seconds that a query of a multi-stream is expected to take."""
    service = service_of(measured_s)
    share = math.ceil(SAMPLES_A_QUERY / batching.instances)  # of the instance that gets most
    most = min(batching.max_batch, max(measured_s), share)
    whole, rest = divmod(share, most)
    return whole * service(most) + (service(rest) if rest else 0.0)


def _server(load: LoadRequest, batching: Batching, rate: float, bound_s: float) -> dict[str, Any]:
    waiting = _HOPELESS * (rate * bound_s + batching.max_batch * batching.instances)
    min_s = max(load.length.min_s, _BOUNDS * bound_s)
    queries = max(rate * min_s, load.length.queries_of("server", load.percentile))
    waiting += _FORGIVEN * (1 - load.percentile / 100) * queries
    longest_s = max(load.length.max_s, 3 * min_s) if load.length.max_s else 0.0
    return {
        "min_duration_ms": round(min_s * 1e3),
        "max_duration_ms": round(longest_s * 1e3),
        "server_target_qps": rate,
        "server_target_latency_ns": round(bound_s * 1e9),
        "server_target_latency_percentile": load.percentile / 100,
        "server_max_async_queries": max(math.ceil(waiting), 32),
    }
