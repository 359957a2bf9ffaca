"""Measures docs/results/two-cores-load.md: rows of the CPU under load by LoadGen, and which order changes against closed loops.

    python benchmarks/two_cores_load.py DIR [--write docs/results/two-cores-load.md] [--frameworks ...] [--rounds 1]

Two models: MobileNetV3-Large (224 x 224 x 3) and a BERT-base encoder (real_models/bert, random weights, 128 tokens). All four scenarios; the
server's promise is 50 ms and 100 ms of the first, 500 ms and 1 s of the second, for 99 and 90 % of requests. Runs that are there
are gone on with. About an hour on two quiet cores. Quick preset: not a valid MLPerf length.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from inferometer.results.opening import open_results
from inferometer.results.under_load import LoadSummary, summarise_load
from inferometer.tables.under_load import load_markdown

HERE = Path(__file__).resolve().parent
FRAMEWORKS = "onnxrt,openvino,tf,torch,litert"
MODELS = {
    "mobilenet": ["mobilenet_v3_large", "--latency-bound", "50ms,100ms"],
    "bert": [f"hf:{HERE / 'real_models' / 'bert'}", "--latency-bound", "500ms,1s", "--percentile", "90"],
}
COMMON = [
    "--device",
    "cpu",
    "--batch-sizes",
    "1,8",
    "--images",
    "64",
    "--loops",
    "5",
    "--warmup",
    "4",
    "--budget",
    "10",
    "--time-limit",
    "0",
]
SCENARIOS = ["--scenarios", "single-stream,multi-stream,server,offline", "--max-batch", "8"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--frameworks", default=FRAMEWORKS)
    parser.add_argument("--rounds", default="1")
    given = parser.parse_args()
    parts = [
        __doc__.partition("\n\n")[0].replace(
            "Measures docs/results/two-cores-load.md: ", "# Under load on two CPU cores\n\nMeasured: "
        )
    ]
    for name, options in MODELS.items():
        out = given.folder / name
        words = (
            ["--resume", str(out)]
            if (out / "run.json").exists()
            else [
                *options,
                "--frameworks",
                given.frameworks,
                "--rounds",
                given.rounds,
                *COMMON,
                *SCENARIOS,
                "--out",
                str(out),
            ]
        )
        code = subprocess.run([sys.executable, "-m", "inferometer", "run", *words], check=False).returncode
        if code:
            return code
        results = open_results([out])
        found = summarise_load(results)
        closed = {
            s.row: s.throughput.value
            for s in results.summaries
            if s.measured and s.throughput and s.cell.batch_size == 8
        }
        parts += [f"## {name}", load_markdown(found), *changes(found, closed)]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    print(text)
    return 0


def changes(found: Sequence[LoadSummary], closed: dict[str, float]) -> list[str]:
    """Return a sentence a scenario: the order by closed loops at batch size 8, and where that under load is another."""
    usual = sorted(closed, key=lambda row: -closed[row])
    lines = [f"By closed loops at batch size 8: {' > '.join(usual)}."]
    for place in dict.fromkeys((s.scenario, s.bound_s) for s in found):
        rates = {
            s.row: s.rate.value
            for s in found
            if (s.scenario, s.bound_s) == place and s.rate and s.valid and s.row in closed
        }
        order = sorted(rates, key=lambda row: -rates[row])
        lost = [row for row in usual if row not in rates]
        name = place[0] + (f" within {place[1] * 1e3:g} ms" if place[1] else "")
        same = order == [row for row in usual if row in rates]
        told = "the same order" if same else f"another order: {' > '.join(order)}"
        lines.append(f"- {name}: {told}{'; no valid result: ' + ', '.join(lost) if lost else ''}.")
    return ["\n".join(lines)]


if __name__ == "__main__":
    sys.exit(main())
