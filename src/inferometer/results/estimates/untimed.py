"""What records say besides their timed loops: time to ready, peak memory, agreement with the reference, phases."""

from __future__ import annotations

import math
from typing import Any

from msgspec.structs import replace

from inferometer.records import Cell, Parity
from inferometer.results.estimates.quantity import Estimate, Good, PrepareEstimate, Repeated, round_series
from inferometer.results.estimates.together import Steps
from inferometer.results.shares import wilson
from inferometer.units import counted


def prepare(good: Good) -> Steps[dict[str, Any]]:
    """Find the time to ready, of rounds with a cold compile cache where there are any."""
    known = [(key, record.prepare) for key, record in good if record.prepare]
    known = [(key, p) for key, p in known if not p.cached] or known
    series = round_series((key, p.total_s) for key, p in known)
    if not series.keys:
        return {}
    rounds = Repeated(series)
    yield [rounds]
    source = "rounds with a warm compile cache" if known[0][1].cached else "rounds"
    total = rounds.estimate("s", source)
    load = sum([p.load_s for _, p in known])
    compile_, first_run = sum([p.compile_s for _, p in known]), sum([p.first_run_s for _, p in known])
    parts = [part / len(known) for part in (load, compile_, first_run)]
    whole = parts[0] + (parts[1] + parts[2])
    return {
        "prepare": PrepareEstimate(
            total, *(part * total.value / whole for part in parts)
        ),  # they add up to it
        "_series": {"prepare": series},
    }


_OLD_INPUTS = 4  # distinct inputs of runs that stored a share only: `images` counted their repetitions too
BY_FRAMEWORK = "device, by the framework"  # of its allocator: what else the framework takes is not in it
_DEVICE_SOURCES = (("device_used_bytes", "device, by the driver"), ("device_peak_bytes", BY_FRAMEWORK))
_HOST_SOURCES = (("rss_peak_bytes", "process (RSS)"),)


def memory(good: Good, cell: Cell) -> Steps[dict[str, Any]]:
    """Find the peak of a round, of the device where the cell ran on one, else of the process; a limit must hold for all."""
    for name, source in _HOST_SOURCES if cell.device == "cpu" else _DEVICE_SOURCES:
        peaks = [(key, getattr(r.memory, name)) for key, r in good if r.memory]
        peaks = [(key, float(peak)) for key, peak in peaks if peak is not None]
        series = round_series(peaks)
        if series.keys:
            rounds = Repeated(series)
            yield [rounds]
            estimate = replace(rounds.estimate("bytes", source), upper=max(peak for _, peak in peaks))
            return {"memory": estimate, "_series": {"memory": series}}
    return {}


def parity(good: Good) -> dict[str, Any]:
    """Return the worst round's agreement with the reference."""
    found = [record.parity for _, record in good if record.parity]
    if not found:
        return {}
    worst: Parity = min(found, key=lambda p: (p.passed, p.top1, -(p.max_rel or 0.0)))
    counted_rows = [_agreement(parity) for parity in found if not parity.agreement]
    if not counted_rows:
        return {"parity": worst}
    k, n = min(counted_rows, key=lambda pair: (pair[0] / pair[1], -pair[1]))
    source = f"{k:g} of {n} inputs, {worst.reference or 'reference'}"
    return {"parity": worst, "agreement": Estimate(k / n, *wilson(k, n), "share", source, len(found))}


def _agreement(parity: Parity) -> tuple[float, int]:
    """Return of how many inputs the top class agrees; runs before `agree_n` repeated four photos unless told otherwise."""
    if parity.agree_k is not None and parity.agree_n is not None:
        n = max(1, parity.agree_n)
        return min(max(0, parity.agree_k), n), n
    n = max(1, min(parity.images, _OLD_INPUTS))
    share = 0.0 if math.isnan(parity.top1) else min(max(parity.top1, 0.0), 1.0)  # a file may hold anything
    return share * n, n


def phases(good: Good) -> dict[str, Estimate]:
    """Return the mean seconds a batch of every phase that was sampled, without an interval: samples are few."""
    sampled = [record for _, record in good if record.phases]
    batches = sum(record.phase_batches for record in sampled)
    over = counted(len(sampled), "round")
    source = f"mean of {counted(batches, 'batch')} in {over}" if batches else f"mean over {over}"
    found = {}
    for name in dict.fromkeys(name for record in sampled for name in record.phases):
        values = [record.phases[name] for record in sampled if name in record.phases]
        found[name] = Estimate(sum(values) / len(values), None, None, "s", source, len(values))
    return found
