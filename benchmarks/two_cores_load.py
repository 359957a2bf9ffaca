"""Measures docs/results/two-cores-load.md: rows of the CPU under load by LoadGen, and which order changes against closed loops.

    python benchmarks/two_cores_load.py DIR --prepare     # environments and converted models, into the cache: needs no quiet
    python benchmarks/two_cores_load.py DIR [--write docs/results/two-cores-load.md] [--minutes 35] [--frameworks ...] [--models ...]

Two models: MobileNetV3-Large (224 x 224 x 3) and a BERT-base encoder (real_models/bert, random weights, 32 tokens: what a short text has). All four
scenarios; the server's promise is 50 ms for 99 % of requests of the first, 500 ms for 90 % of the second. One round, quick preset: not a valid
MLPerf length. When the minutes are over, the run in progress is interrupted, as by Ctrl-C, and the page is written from what there is; called again
with the same DIR it goes on.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from inferometer import units
from inferometer.results.cells import Results
from inferometer.results.completeness import unfinished
from inferometer.results.opening import open_results
from inferometer.results.under_load import LoadSummary, summarise_load
from inferometer.tables.under_load import load_markdown

HERE = Path(__file__).resolve().parent
FRAMEWORKS = "onnxrt,openvino,tf,torch,litert"
MODELS = {
    "mobilenet": ["mobilenet_v3_large"],
    "bert": [f"hf:{HERE / 'real_models' / 'bert'}", "--shape", "sequence=32"],
}
PROMISES = {
    "mobilenet": ["--latency-bound", "50ms", "--percentile", "99"],
    "bert": ["--latency-bound", "500ms", "--percentile", "90"],
}
CLOSED = [
    "--device",
    "cpu",
    "--batch-sizes",
    "1,8",
    "--images",
    "32",
    "--loops",
    "5",
    "--warmup",
    "4",
    "--budget",
    "4",
    "--time-limit",
    "0",
    "--rounds",
    "1",
]
SCENARIOS = ["--scenarios", "single-stream,multi-stream,server,offline", "--max-batch", "8"]
CHANCE = 1.1  # of one round: rows less than so far apart may be in either order
LEAVES_S = 60.0  # for a run that is interrupted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--frameworks", default=FRAMEWORKS)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument(
        "--instances", default="1", help="1,2: also with the cores shared out to two (longer)"
    )
    parser.add_argument("--prepare", action="store_true")
    given = parser.parse_args()
    if given.prepare:
        return max(prepare(name, given) for name in given.models.split(","))
    until_s = time.monotonic() + 60 * given.minutes
    parts = [__doc__.partition("\n\n")[0].replace(
        "Measures docs/results/two-cores-load.md: ", "# Under load on two CPU cores\n\nMeasured: "
    )]  # fmt: skip
    failed = 0
    for name in given.models.split(","):
        part, code = measured(name, given, until_s)
        parts.append(part)
        failed = failed or code
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    print(text)
    return failed


def measured(name: str, given: argparse.Namespace, until_s: float) -> tuple[str, int]:
    """Measure a model as far as there is time; return its section, and an exit status that is not 0 where it could not begin."""
    out, begun = given.folder / name, time.monotonic()
    code = run(name, out, given, until_s) if begun < until_s else 0
    print(f"{name}: exit status {code} after {(time.monotonic() - begun) / 60:.1f} min", flush=True)
    if (out / "run.json").exists():
        return section(name, open_results([out]), code), 0
    if time.monotonic() < until_s:
        return f"## {name}\n\nNot measured: the run could not begin (exit status {code}).", code or 1
    return f"## {name}\n\nNot measured: no time was left.", 0


def prepare(name: str, given: argparse.Namespace) -> int:
    """Run a model as briefly as can be, for what that leaves in the cache; return the exit status."""
    brief = [*CLOSED, "--loops", "1", "--warmup", "0", "--budget", "0.1"]  # the later of two counts
    with tempfile.TemporaryDirectory() as folder:
        words = [*MODELS[name], "--frameworks", given.frameworks, *brief, "--out", f"{folder}/run"]
        return subprocess.run([sys.executable, "-m", "inferometer", "run", *words], check=False).returncode


def run(name: str, out: Path, given: argparse.Namespace, until_s: float) -> int:
    """Measure a model, or go on with it, until the time is over; return the exit status."""
    words = [*MODELS[name], *PROMISES[name], "--frameworks", given.frameworks, *CLOSED, *SCENARIOS]
    words += [] if given.instances == "1" else ["--instances", given.instances]
    words = ["--resume", str(out)] if (out / "run.json").exists() else [*words, "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "inferometer", "run", *words])
    try:
        return process.wait(max(until_s - time.monotonic(), 1.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(LEAVES_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its workers go with it
        return process.wait()


def section(name: str, results: Results, code: int) -> str:
    found = summarise_load(results)
    left = (
        ""
        if code == 0 and not unfinished(results)
        else "Not finished: the time was over, or a run failed; what is missing is not in the table."
    )
    return "\n\n".join(filter(None, (f"## {name}", left, load_markdown(found), changes(found, results))))


def changes(found: Sequence[LoadSummary], results: Results) -> str:
    """Return a line a scenario: the order by closed loops of the like batch size, and which rows change places under load."""
    closed = {size: known for size in (1, 8) if (known := throughputs(results, size))}
    lines = [
        f"By closed loops at batch size {size}: {' > '.join(ordered(rows))}." for size, rows in closed.items()
    ]
    lines.append(
        "Under load (the server by its highest VALID rate, offline by its rate where that is VALID, streams by their latency whatever LoadGen's verdict):\n"
    )
    for place in dict.fromkeys((s.scenario, s.bound_s, s.batching.instances) for s in found):
        usual = closed.get(1 if place[0] == "single-stream" else 8, {})
        rows = [s for s in found if (s.scenario, s.bound_s, s.batching.instances) == place and s.row in usual]
        merits = {s.row: merit for s in rows if (merit := merit_of(s))}
        bound = f" within {units.duration(place[1])}" if place[1] else ""
        several = f", {place[2]} instances" if place[2] > 1 else ""
        without = [s.row for s in rows if s.row not in merits]
        told = [f"{' > '.join(ordered(merits))}; {swaps(usual, merits)}"] if len(merits) > 1 else [*merits]
        told += [f"no VALID result: {', '.join(without)}"] if without else []
        lines.append(f"- {place[0]}{bound}{several}: {'; '.join(told)}.")
    return "\n".join(lines)


def throughputs(results: Results, size: int) -> dict[str, float]:
    return {
        s.row: s.throughput.value
        for s in results.summaries
        if s.measured and s.throughput and s.cell.batch_size == size
    }


def ordered(merits: Mapping[str, float]) -> list[str]:
    return sorted(merits, key=lambda row: -merits[row])


def merit_of(summary: LoadSummary) -> float | None:
    """Return the VALID rate of a server (the highest) or of offline, and of streams, whose latency is the result, its inverse."""
    if summary.scenario in ("server", "offline"):
        return summary.rate.value if summary.rate and summary.valid == summary.rounds else None
    return 1 / summary.latency.value if summary.latency else None


def swaps(usual: Mapping[str, float], merits: Mapping[str, float]) -> str:
    """Return in words which rows change places, and which of them one round cannot tell apart."""
    told, unsure = [], []
    for first, second in itertools.combinations([row for row in ordered(usual) if row in merits], 2):
        if merits[first] < merits[second]:
            clear = min(usual[first] / usual[second], merits[second] / merits[first]) >= CHANCE
            (told if clear else unsure).append(f"{second} before {first}")
    if not told and not unsure:
        return "the same order"
    parts = [f"another order: {', '.join(told)}" if told else "no clear change"]
    if unsure:
        parts.append(f"less than {CHANCE - 1:.0%} apart in one of the two orders: {', '.join(unsure)}")
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
