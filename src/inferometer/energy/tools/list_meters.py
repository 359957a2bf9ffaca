"""What `inferometer meters` shows, and the characterization of several meters in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from inferometer.device import Device
from inferometer.energy.characterization.characterize import LoadTimes, characterize
from inferometer.energy.characterization.load_process import LoadProcess
from inferometer.energy.meters import known_traits
from inferometer.energy.readings import Meter
from inferometer.energy.session import Session, open_session
from inferometer.errors import MeterError, UsageError
from inferometer.units import duration, significant

READS = 10
PAUSE_S = 0.02
QUICK = LoadTimes(idle_s=3.0, watch_s=1.5, duty_s=1.2, settle_s=0.5)


def describe_meters(terms: Iterable[str] = (), powercap: str | None = None) -> list[dict[str, Any]]:
    """Return a mapping a meter (with the cost of a read, measured now) and one an absence (reason, remedy)."""
    with open_session(meters=terms, powercap=powercap) as session:
        if session.meters:
            time.sleep(READS * PAUSE_S)
            for _ in range(READS):
                session.sampler.read_fast()
        return [*session.describe()]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the list for people: a paragraph a meter, a line an absence."""
    present = [row for row in rows if "uid" in row]
    absent = [row for row in rows if "uid" not in row]
    lines = [line for row in present for line in _meter_lines(row)]
    if not present:
        lines.append("No meter is available here.")
    if absent:
        lines.append("Not available:")
        lines += [f"  {_absence_line(row)}" for row in absent]
    return "\n".join(lines)


def characterize_all(
    terms: Iterable[str] = (),
    powercap: str | None = None,
    *,
    device: str | None,
    python: str,
    quick: bool = False,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Characterize the chosen meters one by one and store each result; MeterError if there is none to characterize."""
    plan = QUICK if quick else LoadTimes()
    results = []
    with open_session(meters=terms, powercap=powercap) as session:
        session.stop()  # each meter gets a session of its own
        for meter, load_device in _chosen(session, device):
            say(f"{meter.device.name} ({meter.device.uid}), load on {load_device}")
            find_powers: Callable[[], dict[str, Meter]] = getattr(meter, "powers", dict)
            results.append(
                characterize(
                    meter,
                    partial(LoadProcess, load_device, python, _gpu(meter)),
                    powers=find_powers(),
                    plan=plan,
                    say=lambda text: say(f"  {text}"),
                )
            )
            say(f"  stored in {known_traits.save(meter.device.uid, results[-1])}")
    return results


def _chosen(session: Session, device: str | None) -> list[tuple[Meter, str]]:
    """Return the polled meters with the device that loads each; GPUs are numbered as CUDA numbers the visible ones."""
    gpus = [m for m in session.meters if m.device.type == "gpu" and m.device.meter == "nvml"]
    pairs = [
        (meter, str(Device("cuda", gpus.index(meter)) if meter in gpus else Device("cpu")))
        for meter in session.meters
        if not meter.traits.push
    ]
    chosen = [pair for pair in pairs if device is None or device in (pair[0].device.uid, pair[1])]
    if chosen:
        return chosen
    if pairs:
        known = ", ".join(f"{load} ({meter.device.uid})" for meter, load in pairs)
        raise UsageError(f"no meter for device '{device}' (known: {known})")
    raise MeterError(session.reason or "network meters are characterized where they are attached")


def _gpu(meter: Meter) -> str:
    return meter.device.uid if meter.device.meter == "nvml" else ""


def _meter_lines(row: dict[str, Any]) -> Iterable[str]:
    unit = "J" if row["kind"] == "counter" else "W"
    yield f"{row['uid']}: {row['name']} ({row['type']}, {row['meter']}), {row['kind']} in {unit}"
    known = row.get("characterized")
    typical = "typical; 'inferometer meters characterize' measures it"
    if row.get("fast") and row["period_known"] and row["period_s"]:
        typical = "as seen when it was opened"
    source = f"as measured {known['measured_at']}" if known else typical
    period = duration(row["period_s"]) if row["period_s"] else "at each read"
    facts = [f"update: {'on arrival, about every ' if row['push'] else ''}{period} ({source})"]
    if "read_s" in row:
        facts.append(f"a read takes {duration(row['read_s'])} (processor: {duration(row['read_cpu_s'])})")
    if row["resolution"]:
        facts.append(f"steps of {significant(row['resolution'])} {unit}")
    if row["range_j"]:
        facts.append(f"wraps at {significant(row['range_j'])} J")
    yield "  " + "; ".join(facts)
    if "failed" in row:
        yield f"  cannot be read now: {row['failed']}"
    if known and known.get("idle", {}).get("power_w"):
        yield f"  idle {significant(known['idle']['power_w'])} W on {known['measured_at']}"


def _absence_line(row: dict[str, Any]) -> str:
    subject = f"{row['meter']} {row['device']}".strip()
    return f"{subject}: {row['reason']}" + (f" -- {row['remedy']}" if row["remedy"] else "")
