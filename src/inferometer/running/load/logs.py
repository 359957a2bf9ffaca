"""LoadGen's own log, read: verdict, reasons, rates and latencies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.errors import ProtocolError

DETAIL_FILE = "mlperf_log_detail.txt"
_MARK = ":::MLLOG "
_PERCENTILE = re.compile(r"result_([0-9.]+)_percentile_(per_query_)?latency_ns")
_RATES = (
    "result_completed_samples_per_sec",
    "result_samples_per_second",
    "result_qps_without_loadgen_overhead",
)
_EARLY_STOPPING = {"early_stopping_latency_ss": "90", "early_stopping_latency_ms": "99"}
_GAVE_UP = "Too many outstanding queries"


def read_log(folder: Path) -> dict[str, Any]:
    """Return the fields of `records.LoadTest` that the log of a performance test tells; ProtocolError if it is not whole."""
    found, errors = _entries(folder / DETAIL_FILE)
    if "result_validity" not in found:
        words = "; ".join(errors) or "the log has no verdict"
        raise ProtocolError(f"LoadGen's test did not end: {words}")
    valid = found["result_validity"] == "VALID"
    rate = next((float(found[name]) for name in _RATES if name in found), None) or _rate_of_queries(found)
    return {
        "valid": valid,
        "invalid_reasons": () if valid else _reasons(found),
        "ended_early": any(_GAVE_UP in error for error in errors),
        "rate": rate,
        "queries": int(found.get("result_query_count", 0)),
        "overlatency": found.get("result_overlatency_query_count"),
        "latency_s": _latencies(found),
        "early_stopping_s": {
            name: found[key] / 1e9 for key, name in _EARLY_STOPPING.items() if found.get(key)
        },
        "loadgen": str(found.get("loadgen_version", "")).partition(" ")[0],
    }


def read_accuracy_log(folder: Path) -> dict[str, Any]:
    """Return the same of a test in accuracy mode, whose verdict is the comparison of its responses."""
    found, errors = _entries(folder / DETAIL_FILE)
    if errors:
        raise ProtocolError(f"LoadGen's accuracy mode did not end well: {'; '.join(errors)}")
    return {"valid": True, "loadgen": str(found.get("loadgen_version", "")).partition(" ")[0]}


def _entries(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the last value of every key, and the messages of errors."""
    found: dict[str, Any] = {}
    errors: list[str] = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise ProtocolError(f"cannot read {path}: {error.strerror}") from error
    for line in lines:
        try:
            entry = json.loads(line.removeprefix(_MARK))
        except ValueError:
            continue  # torn by a killed worker
        found[entry["key"]] = entry["value"]
        if entry.get("metadata", {}).get("is_error"):
            errors.append(" ".join(str(entry["value"]).split()))
    return found, errors


def _latencies(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the mean and percentiles of queries' latencies in s; of a multi-stream those of whole queries."""
    mean = found.get("result_mean_query_latency_ns", found.get("result_mean_latency_ns"))
    latencies = {} if mean is None else {"mean": mean / 1e9}
    whole = "result_mean_query_latency_ns" in found
    for key, value in found.items():
        match = _PERCENTILE.fullmatch(key)
        if match and bool(match[2]) == whole:
            latencies[f"{float(match[1]):g}"] = value / 1e9
    return latencies


def _rate_of_queries(found: Mapping[str, Any]) -> float | None:
    """Return the samples/s of a multi-stream, of which LoadGen logs none: each query follows the one before."""
    mean_ns = found.get("result_mean_query_latency_ns")
    return float(found["effective_samples_per_query"]) / (mean_ns / 1e9) if mean_ns else None


def _reasons(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why LoadGen calls the test INVALID, in our words where its verdicts say which rule was broken."""
    rules = {
        "result_perf_constraints_met": "latency beyond the bound",
        "result_min_duration_met": "shorter than the least duration",
        "result_min_queries_met": "fewer queries than the least",
        "early_stopping_met": "too few queries for the percentile",
    }
    broken = tuple(words for key, words in rules.items() if found.get(key) is False)
    return broken or (" ".join(str(found.get("result_invalid_reason", "no reason given")).split()),)
