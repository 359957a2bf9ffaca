"""Measures what an H100's meters tell and what reading them costs, for docs/results/h100.md's claims on energy; about six minutes.

    PYTHONPATH=src python3 benchmarks/h100_energy.py OUT_FOLDER [--device cuda:0] [--quick]

1. `meters characterize`: update period, cost of a read, averaging windows, idle power and drift, half-time loads.
2. One steady loop (MobileNetV3-Large, torch) five times: joules an image, their spread; the counter against the
   integrated instant power.
3. Metered against unmetered throughput, in blocks of a second (`metering.py`), for three minutes.
Writes energy.json and energy.md into the folder and prints the latter. Needs torch, torchvision, numpy, nvidia-ml-py
(pynvml), scipy and msgspec in the interpreter; nothing of inferometer's other dependencies.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import time
from pathlib import Path

import metering

from inferometer.energy.characterization.characterize import LoadTimes, characterize, idle_text
from inferometer.energy.characterization.load_process import LoadProcess
from inferometer.energy.meters import known_traits
from inferometer.energy.meters.built_in.nvml import find
from inferometer.energy.session import Session
from inferometer.flags import words

REPEATS = 5


def gpu_meter(index: int):
    """Return the counter (or, on Pascal, the power reading) of one visible GPU."""
    found = find(os.environ)
    if len(found.meters) <= index:
        raise SystemExit("no meter: " + "; ".join(a.line for a in found.absences))
    return found.meters[index]


def both_sources(meter, device: str) -> Session:
    """Return a session with the counter and, as a device of its own, the instant power."""
    powers = meter.powers()
    meters = [meter]
    for name in ("instant", "average"):
        if name in powers:
            power = powers[name]
            power.device = dataclasses.replace(power.device, uid=f"{meter.device.uid}/{name}")
            meters.append(power)
    return Session(meters, device=device)


def repeat_cell(meter, device: str, seconds: float, python: str) -> dict[str, object]:
    """Measure one steady loop `REPEATS` times; return joules an image by source, intervals and spreads."""
    rows = []
    with both_sources(meter, device) as session, metering.Worker(device, python) as worker:
        time.sleep(1.0)
        begin = time.monotonic_ns()
        time.sleep(3.0)
        session.mark_idle(begin, time.monotonic_ns(), "loaded")
        worker.loops(5.0, 4)
        window_s = max(Session([meter], device=device).window_s(), seconds)
        for _ in range(REPEATS):
            spans = worker.loops(window_s, 4)
            energy = session.energy(spans)
            rows.append(
                {d.device_uid: cell_row(d) for d in energy.devices}
                | {"flags": [words(flag) for flag in session.flags(spans)]}
            )
        described, conditions = session.describe(), session.conditions(spans)
    return {
        "window_s": window_s,
        "repeats": rows,
        "meters": described,
        "conditions": conditions,
        **spreads(rows, meter),
    }


def cell_row(d) -> dict[str, object]:
    """Return a device's figures of one repeat."""
    per_image = None if d.energy_j is None else d.energy_j / d.images
    half = None if not d.energy_j or d.high_j is None else (d.high_j - d.low_j) / 2 / d.energy_j
    return {
        "source": d.source,
        "j_per_image": per_image,
        "half_width": half,
        "power_w": None if d.energy_j is None else d.energy_j / d.seconds,
        "idle_w": d.idle_w,
        "images_per_s": d.images / d.seconds,
        "reason": d.reason,
    }


def spreads(rows, meter) -> dict[str, object]:
    """Return the spread (largest less smallest over mean) by source, and each sampled source over the counter."""
    found: dict[str, object] = {"spread": {}, "over_counter": {}}
    uid = meter.device.uid
    for source in [key for key in rows[0] if key != "flags"]:
        values = [row[source]["j_per_image"] for row in rows]
        if any(v is None for v in values):
            continue
        found["spread"][source] = (max(values) - min(values)) / statistics.fmean(values)
        found["over_counter"][source] = statistics.fmean(values) / statistics.fmean(
            [row[uid]["j_per_image"] or float("nan") for row in rows]
        )
    return found


def report(facts: dict) -> str:
    """Return the figures as a short Markdown table."""
    known, cell = facts["characterized"], facts["cell"]
    uid = known["uid"]
    kind = "counter" if "counter" in known else "power"
    short = {uid: kind, f"{uid}/instant": "instant power", f"{uid}/average": "averaged power"}
    rows = [
        ("device", f"{known['name']}, driver {known.get('driver')}, {known['measured_at']}"),
        *behaviour_rows(kind, known[kind]),
    ]
    for name, power in known.get("powers", {}).items():
        rows += behaviour_rows(f"{name} power", power)
    idle, loaded = known["idle"], known["idle_with_load_process"]
    rows += [
        ("idle, no process", idle_text(idle)),
        ("idle, with a CUDA process", idle_text(loaded)),
    ]
    for key in ("counter_w", "polled_w"):
        values = [row[key] for row in known["duty"] if row[key] is not None]
        if values:
            rows.append(
                (f"half load, 3 periods x 4 phases, {key}", f"{min(values):.1f} to {max(values):.1f} W")
            )
    rows.append(("largest spread between phases", json.dumps(known["phase_spread"])))
    for source, spread in cell["spread"].items():
        values = [row[source]["j_per_image"] * 1e3 for row in cell["repeats"]]
        halves = [row[source]["half_width"] for row in cell["repeats"]]
        text = f"{statistics.fmean(values):.4f} mJ/image, spread {spread:.2%} over {len(values)} repeats of "
        text += f"{cell['window_s']:.1f} s, stated interval ±{max(halves):.2%}, over counter {cell['over_counter'][source]:.4f}"
        rows.append((f"steady cell by {short.get(source, source)}", text))
    rows.append(("its throughput and power", cell_text(cell["repeats"], uid)))
    for cost in facts["metering"]:
        loss = f"{metering.told(cost, 'loss')}, {cost['blocks']} blocks"
        rows.append((f"metering's loss of throughput, at the pace of {cost['work']}", loss))
        rows.append(("the sampler's processor time", f"{cost['parent_cpu_share_of_a_core']:.3%} of a core"))
    return "\n".join(["| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]) + "\n"


def behaviour_rows(name: str, facts: dict) -> list[tuple[str, str]]:
    period = facts.get("period_s")
    text = f"every {period * 1e3:.2f} ms (sd {facts['jitter_s'] * 1e3:.2f})" if period else "not seen"
    window = facts.get("window_s")
    rows = [
        (f"{name}: update", text + (f", averages over {window * 1e3:.0f} ms" if window is not None else "")),
        (
            f"{name}: read",
            f"{facts['read_s'] * 1e6:,.1f} µs (p99 {facts['read_p99_s'] * 1e6:,.1f}), processor {facts['read_cpu_s'] * 1e6:,.1f} µs",
        ),
        (f"{name}: full load", f"{number(facts['load_w'])} W"),
    ]
    return rows


def cell_text(repeats, uid: str) -> str:
    rates = [row[uid]["images_per_s"] for row in repeats]
    powers = [row[uid]["power_w"] for row in repeats]
    flags = sorted({flag for row in repeats for flag in row["flags"]})
    mean = "unresolved" if None in powers else f"{statistics.fmean(powers):.1f} W"
    return f"{statistics.fmean(rates):,.0f} images/s, {mean}, flags: {', '.join(flags) or 'none'}"


def number(value: float | None) -> str:
    return "unresolved" if value is None else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch and torchvision")
    parser.add_argument("--quick", action="store_true", help="a fifth of the time, to try the script")
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["INFEROMETER_METERS"] = str(
        folder / "meters"
    )  # keep what is found here, not in the user's folder
    meter = gpu_meter(int(arguments.device.partition(":")[2] or 0))
    plan = LoadTimes(2.0, 1.5, 1.2, 0.5) if arguments.quick else LoadTimes()
    begin = time.monotonic()
    facts: dict[str, object] = {"python": sys.version, "script": "h100_energy.py"}

    def note(text: str) -> None:
        print(f"[{time.monotonic() - begin:6.1f} s] {text}", flush=True)

    def save() -> None:
        (folder / "energy.json").write_text(json.dumps(facts, indent=1, default=str) + "\n")

    facts["characterized"] = characterize(
        meter,
        lambda: LoadProcess(arguments.device, arguments.python),
        powers=meter.powers(),
        plan=plan,
        say=note,
    )
    save()
    known_traits.save(meter.device.uid, facts["characterized"])
    if "counter" in facts["characterized"]:
        counter = facts["characterized"]["counter"]
        meter.traits = dataclasses.replace(
            meter.traits,
            period_s=counter.get("period_s") or meter.traits.period_s,
            integrates=bool(counter["integrates"]),
        )
    facts["cell"] = repeat_cell(meter, arguments.device, 1.0 if arguments.quick else 5.0, arguments.python)
    note("steady cell: " + json.dumps(facts["cell"]["spread"]))
    save()
    minutes = 0.2 if arguments.quick else 1.5
    facts["metering"] = [
        metering.run(arguments.device, minutes, work, arguments.python) for work in ("runs", "regions")
    ]
    facts["seconds"] = time.monotonic() - begin
    save()
    text = report(facts)
    (folder / "energy.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
