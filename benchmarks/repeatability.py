"""Measures how well joules an image repeat, for docs/energy.md's aim of 1 %: about two minutes on a GPU.

    PYTHONPATH=src python3 benchmarks/repeatability.py [OUT_FOLDER] [--device cuda:0|cpu] [--warm-up 2] [--repeats 10] [--seconds 5]

The same steady loop (MobileNetV3-Large by torch on a GPU, matrix products by numpy on a CPU) again and again, each repetition as long as a
cell's loops are metered. A device that has just begun to work is cooler and draws less: so the first `--warm-up` repetitions count as
warm-up, by that number and nothing else. It is settled before anything is measured, they are shown in the table, and every repetition
after them counts, whatever it says. The spread is the largest less the smallest joules an image over their mean; the exit status is 1 where it
exceeds `--aim` (0.01), 2 without a figure. Without a meter a powercap tree of real files that another process moves at 50 W is read
instead, to try the script: its spread is that of the throughput, the output says so, and the exit status is 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import metering

from inferometer.energy import Session
from inferometer.flags import words
from inferometer.records import DeviceEnergy


def measure(
    session: Session, worker: metering.Worker, repetitions: int, seconds: float, warm_up: int
) -> list[dict[str, Any]]:
    """Return each repetition's figures, in order."""
    rows = []
    for number in range(repetitions):
        spans = worker.loops(seconds, 4)
        session.await_update(spans[-1][1])
        energy = session.energy(spans)
        device = next((d for d in energy.devices if d.device_uid == energy.primary), None)
        flags = [words(flag) for flag in session.flags(spans)]
        temperature_c = session.conditions(spans).get(energy.primary, {}).get("temperature_c")
        rows.append(
            {
                "warm_up": number < warm_up,
                "images_per_s": sum(span[2] for span in spans) / ((spans[-1][1] - spans[0][0]) / 1e9),
                "temperature_c": temperature_c,
                "flags": flags,
                **figures(device, energy.reason),
            }
        )
        print(line(number, rows[-1]), flush=True)
    return rows


def figures(device: DeviceEnergy | None, reason: str) -> dict[str, Any]:
    """Return joules an image with their interval; None and a reason where there are none."""
    if device is None or device.energy_j is None or device.low_j is None or device.high_j is None:
        why = reason if device is None else device.reason
        return {"device": "", "j_per_image": None, "low_j": None, "high_j": None, "reason": why}
    joules, low, high = (value / device.images for value in (device.energy_j, device.low_j, device.high_j))
    return {
        "device": device.device_name,
        "j_per_image": joules,
        "low_j": low,
        "high_j": high,
        "reason": device.reason,
    }


def spread(rows: list[dict[str, Any]]) -> float | None:
    """Return the largest less the smallest joules an image over their mean, warm-up left out; None without a figure."""
    values = [row["j_per_image"] for row in rows if not row["warm_up"]]
    if len(values) < 2 or None in values:
        return None
    return (max(values) - min(values)) / statistics.fmean(values)


def line(number: int, row: dict[str, Any]) -> str:
    """Return a repetition as a line of a Markdown table."""
    joules = row["j_per_image"]
    figure = f"none: {row['reason']}"
    if joules is not None:
        figure = f"{joules * 1e3:.4f} [{row['low_j'] * 1e3:.4f}, {row['high_j'] * 1e3:.4f}]"
    warm = row["temperature_c"]
    cells = (
        f"{number + 1}{' (warm-up)' if row['warm_up'] else ''}", figure, f"{row['images_per_s']:,.0f}",
        f"{warm[0]:g} to {warm[1]:g}" if warm else "", ", ".join(row["flags"]),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def verdict(result: dict[str, Any]) -> str:
    """Return the spread in a sentence."""
    counted = sum(not row["warm_up"] for row in result["rows"])
    if result["spread"] is None:
        return "no spread: a repetition that counts has no figure, or there are fewer than two"
    source = " (stand-in files: no measurement of energy)" if result["stand_in_files"] else ""
    return (
        f"{result['device_name']}{source}: joules an image over {counted} repetitions of {result['seconds']:g} s differ by "
        f"{result['spread']:.2%} (largest less smallest, over the mean), after {result['warm_up']} of warm-up"
    )


def run(device: str, warm_up: int, repeats: int, seconds: float, python: str) -> dict[str, Any]:
    """Return every repetition and the spread of those that count."""
    with contextlib.ExitStack() as stack:
        session, stand_in = metering.open_meters(stack, device)
        if stand_in:
            print("no meter here: a stand-in is read (inferometer meters says why)", file=sys.stderr)
        session.start()
        worker = stack.enter_context(metering.Worker(device, python))
        seconds = max(seconds, session.window_s())
        print("| repetition | mJ an image | images/s | °C | flags |\n|---|--:|--:|--:|---|")
        rows = measure(session, worker, warm_up + repeats, seconds, warm_up)
    return {
        "device": device,
        "device_name": next((row["device"] for row in rows if row["device"]), ""),
        "stand_in_files": stand_in,
        "seconds": seconds,
        "warm_up": warm_up,
        "rows": rows,
        "spread": spread(rows),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT_FOLDER")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--warm-up", type=int, default=2, help="repetitions that do not count")
    parser.add_argument("--repeats", type=int, default=10, help="repetitions that count")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a repetition, at least")
    parser.add_argument("--aim", type=float, default=0.01)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with torch and torchvision")
    arguments = parser.parse_args()
    result = run(arguments.device, arguments.warm_up, arguments.repeats, arguments.seconds, arguments.python)
    print("\n" + verdict(result))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "repeatability.json").write_text(json.dumps(result, indent=1) + "\n")
    if result["spread"] is None:
        return 2
    return int(result["spread"] > arguments.aim and not result["stand_in_files"])


if __name__ == "__main__":
    sys.exit(main())
