"""Proves which of the internship study's claims its own tables bear out, for docs/study-claims.md, which it writes.

    python benchmarks/study_claims.py TABLES [--out docs/study-claims.md]

TABLES is the folder of the study's throughput.csv and power.csv. Every verdict is computed: `holds`, `holds in part`,
`does not hold`, or `cannot be told` where the tables hold nothing that could decide it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import study_verdicts as verdicts
from study_tables import A2, BANDWIDTH, CORES, TENSORRT, TITAN, V100, Data, Verdict

from inferometer import importing
from inferometer.findings import findings
from inferometer.results.cells import Results
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from inferometer.tables import build, to_markdown

CLAIMS: tuple[tuple[str, str, Callable[[Data], Verdict]], ...] = (
    ("Reading conventions", "Table 1 marks every GPU that outperformed the V100 with an asterisk.", verdicts.table_1),
    ("Throughput", "On the A2 the TensorRT frameworks give the best throughput from batch size 16 to 256.", verdicts.tensorrt_on_a2),
    ("Throughput", "On the A2 onnxrt outperforms at batch sizes 8 and 512.", verdicts.onnxrt_on_a2),
    ("Throughput", "On the V100 onnxrt outperforms every other framework by significant margins.", verdicts.onnxrt_on_v100),
    ("Throughput", "On the V100 torch keeps up well, next after onnxrt.", verdicts.torch_on_v100),
    ("Throughput", "On the TITAN X onnxrt is best at every batch size except 32.", verdicts.onnxrt_on_titan),
    ("Throughput", "On the TITAN X tfxla outperforms the others at batch size 16.", verdicts.tfxla_on_titan),
    (
        "Throughput",
        "For one batch size and framework the V100 beats the other GPUs, except at 8 to 32, where the TITAN X beats it "
        "with some XLA and TensorRT frameworks.",
        verdicts.v100_first,
    ),
    ("Throughput", "More CUDA cores can draw more throughput.", lambda d: verdicts.follows("throughput", CORES, d, "cores")),
    ("Throughput", "A higher base clock alone is not enough for higher throughput.", verdicts.clock),
    ("Throughput", "A high compute capability is only useful if the model uses its operations.", verdicts.capability),
    ("Throughput", "A bigger bus width and bandwidth can help.", lambda d: verdicts.follows("throughput", BANDWIDTH, d, "GB/s")),
    ("Power", "Newer GPUs are more power efficient; the older, the less.", verdicts.newer_is_frugal),
    ("Power", "The A2 had the better power consumption in watts in every case.", verdicts.a2_every_case),
    ("Power", "On each machine tf is the most power efficient up to batch size 32.", verdicts.tf_until_32),
    ("Power", "From 32 onwards the best is tftrtfp16 or tftrtfp32.", verdicts.tensorrt_from_32),
    ("Power", "The two TensorRT rows are comparable, with a difference of 20 to 30 W.", verdicts.tensorrt_difference),
    ("Power", "Onnxrt is among the fastest but not power efficient.", verdicts.onnxrt_power),
    ("Power against throughput", "On every GPU higher throughput takes more power.", verdicts.trend),
    ("Power against throughput", "An ideal framework has a negative slope.", verdicts.negative_slope),
    ("Power against throughput", "On the A2 tftrtfp16, tftrtfp32 and kerasxla rise least.", verdicts.gentle(A2, (*TENSORRT, "kerasxla"))),
    ("Power against throughput", "On the V100 tftrtfp32 rises least.", verdicts.gentle(V100, ("tftrt fp32",))),
    ("Power against throughput", "On the TITAN X tftrtfp16, tftrtfp32 and onnxrt rise least.", verdicts.gentle(TITAN, (*TENSORRT, "onnxrt"))),
    ("Conclusion", "At batch sizes 32 and 64 TensorRT has better throughput than the other frameworks.", verdicts.tensorrt_at_32_and_64),
    ("Conclusion", "The power consumption of TensorRT is sustainable as well.", verdicts.tensorrt_power),
)  # fmt: skip


PLURALS = {
    "holds": "hold",
    "holds in part": "hold in part",
    "does not hold": "do not hold",
    "cannot be told": "cannot be told",
}


def load(tables: Path) -> Results:
    """Return the study's published tables as results."""
    imported = importing.read(importing.Request((tables / "throughput.csv", tables / "power.csv")))
    with tempfile.TemporaryDirectory() as folder:
        importing.write(imported, Path(folder) / "runs")
        return summarise(read_runs([Path(folder) / "runs"]))


def check(results: Results) -> list[tuple[str, str, Verdict]]:
    data = Data(results)
    return [(section, claim, decide(data)) for section, claim, decide in CLAIMS]


def render(results: Results) -> str:
    """Return the whole document."""
    found = check(results)
    words = [verdict.word for _, _, verdict in found]
    counts = ", ".join(f"{words.count(word)} {plural}" for word, plural in PLURALS.items())
    lines = [
        "# The study's claims against its own tables",
        "",
        "This project grew out of an internship's study of eight frameworks on three GPUs.",
        f"The study's text makes {len(found)} claims; by its own tables A.1 and A.2, {counts}.",
        "To take away: onnxrt is the fastest at most batch sizes of the V100 and the TITAN X, TensorRT at 16 to 64 on the A2; the row of the",
        "lowest power (tf in small batches) is not the one of the least energy an image; and on the TITAN X every framework loses throughput in",
        "batches beyond its best. The tables are published means without spread, so a difference of a few percent may be noise, and nothing",
        "here says otherwise.",
        "",
        "Written by `python benchmarks/study_claims.py TABLES --out docs/study-claims.md`; a test fails when this file and the script",
        "disagree. `tftrt fp16` and `tftrt fp32` are the study's tftrtfp16 and tftrtfp32.",
    ]
    section = ""
    for number, (part, claim, verdict) in enumerate(found, 1):
        if part != section:
            section = part
            lines += ["", f"## {part}", "", "| no. | claim | verdict | figures |", "|---:|---|---|---|"]
        lines.append(f"| {number} | {claim} | **{verdict.word}** | {verdict.evidence}. |")
    lines += ["", "## What inferometer finds in the same tables", ""]
    lines += [f"- {finding.text}" for finding in findings(results)]
    for name in ("throughput", "power"):
        for table in build(results, METRICS[name], V100 if name == "throughput" else None):
            lines += [
                "",
                "## Table " + ("A.1" if name == "throughput" else "A.2"),
                "",
                to_markdown(table).rstrip(),
            ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="folder of throughput.csv and power.csv")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = render(load(options.tables))
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
