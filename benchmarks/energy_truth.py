"""Holds the energy of regions against a simulated truth: how often intervals contain it, and how wide they are.

    python benchmarks/energy_truth.py [--trials 60] [--seed 0] [--update 0.1] [--out FILE.md]

For counters updated every 1, 8, 10, 100 ms and 1 s, loads that are constant, square, bursty or the region's own (it draws
what the time around it does not), and regions of 5 ms to 5 s, once and repeated. The code is the real one, from the reads of
the meter to the region's row; time, meter and power are simulated. Prints a Markdown table: of each cell the share of
intervals that contain the truth, their median half-width as a share of the truth, and that of the estimates' errors.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.regions.profile import Profile
from inferometer.energy.session import Session

S = 1_000_000_000
UPDATES_S = (0.001, 0.008, 0.010, 0.100, 1.0)
LOADS = ("constant", "square", "bursty", "own")
REGIONS_S = (0.005, 0.05, 0.3, 1.0, 5.0)
VISITS = (1, 100)
LEAST_UPDATES = 60  # that a repeated region lasts over, gaps included


@dataclass(frozen=True)
class Case:
    """One combination."""

    update_s: float
    load: str
    region_s: float
    visits: int


@dataclass(frozen=True)
class Found:
    """What trials of one case gave: arrays [trials]; widths and errors as shares of the truth."""

    held: np.ndarray
    widths: np.ndarray
    errors: np.ndarray


def visits_of(case: Case, random: np.random.Generator) -> np.ndarray:
    """Return when each visit begins and ends (s): array [visits, 2], with gaps that last as long as visits, more or less."""
    count = case.visits
    if count > 1 and case.region_s >= 1.0:
        count = 10
    gap_s = max(case.region_s, case.update_s * LEAST_UPDATES / count if count > 1 else 0.0)
    gaps = random.uniform(0.3, 1.7, count) * gap_s
    lengths = case.region_s * random.uniform(0.9, 1.1, count)
    begin = (
        2.5 * max(case.update_s, 0.1) * random.uniform(1, 2) + np.cumsum(gaps) + np.cumsum(lengths) - lengths
    )
    return np.stack((begin, begin + lengths), axis=1)


def curve_of(case: Case, visits: np.ndarray, random: np.random.Generator) -> PowerCurve:
    """Return the power that is drawn, until well after the last visit."""
    length_s = float(visits[-1, 1]) + 5 * case.update_s + 1.0
    low, high = random.uniform(20, 80), random.uniform(150, 400)
    if case.load == "constant":
        return PowerCurve.steady(high, length_s)
    if case.load == "square":
        period_s = float(np.exp(random.uniform(np.log(0.01), np.log(2.0))))
        return PowerCurve.cycles(high, low, period_s, random.uniform(0.2, 0.8), length_s)
    if case.load == "bursty":
        steps = random.exponential(random.uniform(0.005, 0.2), int(length_s / 0.005) + 10)
        times = np.concatenate(([0.0], np.cumsum(steps)))
        times = np.append(times[times < length_s], length_s)
        bursts = random.random(len(times) - 1) < random.uniform(0.1, 0.5)
        return PowerCurve(times, np.where(bursts, random.uniform(100, 450, len(bursts)), low))
    edges = np.concatenate(([0.0], visits.ravel(), [length_s]))
    within = np.arange(len(edges) - 1) % 2 == 1
    drawn = high * random.uniform(0.9, 1.1, len(within))
    return PowerCurve(edges, np.where(within, drawn, low))


def meter_of(update_s: float, curve: PowerCurve, clock: SimulatedClock, seed: int) -> SimulatedMeter:
    """Return a counter: fast ones as RAPL's, whose period is not told; slow ones as NVML's, with reads of 4 ms."""
    slow = update_s >= 0.02
    faults = Faults(jitter_s=0.005 * update_s, latency_s=4e-3 if slow else 2e-5, seed=seed)
    traits = Traits("counter", update_s, resolution=1e-3 if slow else 1e-4, max_power_w=2000.0)
    meter = SimulatedMeter(curve, clock, traits, faults, MeteredDevice("sim:0", "simulated", "cpu", "sim"))
    if not slow:
        meter.traits = Traits("counter", 0.001, resolution=1e-4, max_power_w=2000.0, period_known=False)
    return meter


def advance(session: Session, clock: SimulatedClock, until_s: float) -> None:
    """Let time pass, and the meters be read as the thread would read them."""
    while session.sampler.next_ns < until_s * S:
        clock.time_ns = max(clock.time_ns, session.sampler.next_ns)
        session.sampler.step()
    clock.time_ns = max(clock.time_ns, round(until_s * S))


def trial(case: Case, seed: int) -> tuple[bool, float, float]:
    """Return whether the interval holds the truth, its larger half and the estimate's error as shares of the truth."""
    random = np.random.default_rng((seed, hash_of(case)))
    visits = visits_of(case, random)
    curve = curve_of(case, visits, random)
    clock = SimulatedClock()
    session = Session([meter_of(case.update_s, curve, clock, seed)], clock=clock)
    session.sampler.start = lambda: None  # type: ignore[method-assign]  # this program steps it
    session.sampler.learn_periods()
    profile, truth = Profile(session), 0.0
    for start_s, end_s in visits:
        advance(session, clock, start_s)
        visit = profile.begin("region")
        advance(session, clock, end_s)
        ended_ns = clock.now_ns()
        profile.end(visit)
        truth += curve.span_j(visit.start_ns / S, ended_ns / S)
    (device,) = profile.results()["region"].devices
    if device.energy_j is None or device.low_j is None or device.high_j is None:
        raise SystemExit(f"{case}: no figure: {device.reason}")
    width = max(device.high_j - device.energy_j, device.energy_j - device.low_j) / truth
    return device.low_j <= truth <= device.high_j, width, device.energy_j / truth - 1


def hash_of(case: Case) -> int:
    """Return a number of the case's own, the same in every process."""
    return int.from_bytes(repr(case).encode(), "big") % (1 << 32)


def run_case(case: Case, trials: int, seed: int) -> Found:
    """Return what so many trials gave."""
    held, widths, errors = zip(*(trial(case, seed + i) for i in range(trials)), strict=True)
    return Found(np.array(held), np.array(widths), np.array(errors))


def row(case: Case, found: Found) -> str:
    """Return a line of the table."""
    visits = "once" if case.visits == 1 else "repeated"
    cells = (
        f"{case.update_s * 1e3:g} ms", case.load, f"{case.region_s * 1e3:g} ms", visits, f"{found.held.mean():.1%}",
        f"±{np.median(found.widths):.3g}".replace("inf", "?"), f"{np.median(np.abs(found.errors)):.2g}",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| update | load | region | visits | hold the truth | median half-width | median error |\n"
    "|---:|---|---:|---|---:|---:|---:|"
)


def condensed(lines: list[str]) -> str:
    """Return the table for a document: a line an update period and region, the loads side by side."""
    found: dict[tuple[str, str], dict[tuple[str, str], tuple[float, str]]] = {}
    for line in lines:
        update, load, region, visits, held, width, _ = (
            cell.strip() for cell in line.strip("| \n").split("|")
        )
        found.setdefault((update, region), {})[visits, load] = (float(held.rstrip("%")), width)
    head = (
        "| update | region | once: held | "
        + " | ".join(LOADS)
        + " | repeated: held | "
        + " | ".join(LOADS)
        + " |"
    )
    table = [head, "|---:|---:|" + "---:|" * (2 * len(LOADS) + 2)]
    for (update, region), cells in found.items():
        parts = []
        for visits in ("once", "repeated"):
            mine = [cells[visits, load] for load in LOADS]
            parts += [f"{min(held for held, _ in mine):g} %", *(_percent(width) for _, width in mine)]
        table.append("| " + " | ".join((update, region, *parts)) + " |")
    return "\n".join(table) + "\n"


def _percent(width: str) -> str:
    share = float(width.lstrip("±"))
    return f"±{share * 100:.1f} %" if share < 1 else f"±{share * 100:.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--update", type=float, action="append", help="seconds between updates; by default all of the table"
    )
    parser.add_argument("--out")
    arguments = parser.parse_args()
    lines = [HEADER]
    print(HEADER, flush=True)
    for parts in itertools.product(arguments.update or UPDATES_S, LOADS, REGIONS_S, VISITS):
        case = Case(*parts)
        lines.append(row(case, run_case(case, arguments.trials, arguments.seed)))
        print(lines[-1], flush=True)
    table = condensed(lines[1:])
    print("\n" + table)
    if arguments.out:
        Path(arguments.out).write_text(table)


if __name__ == "__main__":
    sys.exit(main())
