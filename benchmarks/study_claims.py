"""Proves which of the internship study's claims its own tables bear out, for docs/study-claims.md, which it writes.

    python benchmarks/study_claims.py TABLES [--out docs/study-claims.md]

TABLES is the folder of the study's throughput.csv and power.csv. Every verdict is computed: `holds`, `holds in part`,
`does not hold`, or `cannot be told` where the tables hold nothing that could decide it.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from inferometer import importing
from inferometer.findings import findings, regressions
from inferometer.results.cells import Results
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from inferometer.tables import build, to_markdown

A2, V100, TITAN = "NVIDIA A2", "Tesla V100", "TITAN X (Pascal)"
GPUS = (A2, V100, TITAN)
SIZES = (8, 16, 32, 64, 128, 256, 512)
TENSORRT = ("tftrt fp16", "tftrt fp32")
# from the study's description of its machines
CORES = {A2: 1280, V100: 5120, TITAN: 3580}
CLOCK_MHZ = {A2: 1440, V100: 1230, TITAN: 1417}
CAPABILITY = {A2: 8.6, V100: 7.0, TITAN: 6.1}
BANDWIDTH = {A2: 200.1, V100: 897.0, TITAN: 480.4}


class Data:
    """The published tables by machine, row and batch size."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.cells = {(s.machine, s.row, s.cell.batch_size): s for s in results.summaries}
        self.rows = results.rows

    def value(self, metric: str, gpu: str, row: str, size: int) -> float | None:
        summary = self.cells.get((gpu, row, size))
        estimate = METRICS[metric].of(summary) if summary else None
        return estimate.value if estimate else None

    def ranking(self, metric: str, gpu: str, size: int) -> list[tuple[str, float]]:
        """Return (row, value), best first."""
        found = [(row, v) for row in self.rows if (v := self.value(metric, gpu, row, size)) is not None]
        return sorted(found, key=lambda pair: pair[1], reverse=METRICS[metric].higher_is_better)

    def best(self, metric: str, gpu: str, size: int) -> str:
        return self.ranking(metric, gpu, size)[0][0]

    def common(self, *gpus: str) -> list[tuple[str, int]]:
        return [
            (row, size)
            for row in self.rows
            for size in SIZES
            if all((gpu, row, size) in self.cells for gpu in gpus)
        ]

    def mean(self, metric: str, gpu: str) -> float:
        """Return the geometric mean over all cells."""
        values = [v for row, size in self.common(*GPUS) if (v := self.value(metric, gpu, row, size))]
        return math.exp(sum(map(math.log, values)) / len(values))


@dataclass(frozen=True)
class Verdict:
    word: str
    evidence: str


def judged(shares: Iterable[bool], evidence: str) -> Verdict:
    """Return holds, holds in part or does not hold by how many of the claim's parts are true."""
    parts = list(shares)
    word = "holds" if all(parts) else "holds in part" if any(parts) else "does not hold"
    return Verdict(word, evidence)


def listed(words: Iterable[object]) -> str:
    return ", ".join(str(word) for word in words) or "none"


def lead(data: Data, gpu: str, size: int, metric: str = "throughput") -> str:
    """Return the two best of a batch size: "32: tfxla 1535 over tftrt fp16 1489 (+3.1 %)"."""
    (first, a), (second, b) = data.ranking(metric, gpu, size)[:2]
    return f"{size}: {first} {a:.4g} over {second} {b:.4g} (+{100 * (max(a, b) / min(a, b) - 1):.1f} %)"


def tensorrt_on_a2(data: Data) -> Verdict:
    sizes = (16, 32, 64, 128, 256)
    return judged(
        [data.best("throughput", A2, s) in TENSORRT for s in sizes],
        "; ".join(lead(data, A2, s) for s in sizes),
    )


def onnxrt_on_a2(data: Data) -> Verdict:
    also = [s for s in SIZES if s not in (8, 512) and data.best("throughput", A2, s) == "onnxrt"]
    evidence = f"{lead(data, A2, 8)}; {lead(data, A2, 512)}; it also leads at {listed(also)}"
    return judged([data.best("throughput", A2, s) == "onnxrt" for s in (8, 512)], evidence)


def onnxrt_on_v100(data: Data) -> Verdict:
    significant = []
    for size in SIZES:
        (first, a), (_, b) = data.ranking("throughput", V100, size)[:2]
        significant.append(first == "onnxrt" and a / b > 1.10)
    return judged(
        significant, "significant read as more than 10 %: " + "; ".join(lead(data, V100, s) for s in SIZES)
    )


def torch_on_v100(data: Data) -> Verdict:
    sizes = [s for s in SIZES if (V100, "torch", s) in data.cells]
    shares = []
    for size in sizes:
        names = [row for row, _ in data.ranking("throughput", V100, size)]
        values = dict(data.ranking("throughput", V100, size))
        shares.append((size, names.index("torch") + 1, values["torch"] / values["onnxrt"]))
    return judged(
        [place == 2 for _, place, _ in shares],
        "; ".join(f"{size}: place {place}, {100 * share:.0f} % of onnxrt" for size, place, share in shares),
    )


def onnxrt_on_titan(data: Data) -> Verdict:
    parts = [(data.best("throughput", TITAN, s) == "onnxrt") == (s != 32) for s in SIZES]
    return judged(parts, "; ".join(lead(data, TITAN, s) for s in SIZES))


def tfxla_on_titan(data: Data) -> Verdict:
    best = [s for s in SIZES if data.best("throughput", TITAN, s) == "tfxla"]
    place = [row for row, _ in data.ranking("throughput", TITAN, 16)].index("tfxla") + 1
    evidence = f"{lead(data, TITAN, 16)}; tfxla is at place {place} there and best at {listed(best)}"
    return judged([16 in best], evidence)


def v100_first(data: Data) -> Verdict:
    cells = data.common(*GPUS)
    others = {
        (row, size, gpu)
        for row, size in cells
        for gpu in (A2, TITAN)
        if (data.value("throughput", gpu, row, size) or 0) > (data.value("throughput", V100, row, size) or 0)
    }
    beyond = sorted(
        (size, row, gpu)
        for row, size, gpu in others
        if gpu == A2 or size > 32 or not ("xla" in row or row in TENSORRT)
    )
    won = len({(row, size) for row, size in cells} - {(row, size) for row, size, _ in others})
    words = listed(f"{gpu} with {row} at {size}" for size, row, gpu in beyond)
    titan = sorted((size, row) for row, size, gpu in others if gpu == TITAN)
    evidence = (
        f"V100 is fastest in {won} of {len(cells)} common cells; TITAN X beats it in {len(titan)} "
        f"({listed(f'{row} at {size}' for size, row in titan)}); exceptions that the study does not name: {words}"
    )
    return judged([won > len(cells) / 2, not beyond], evidence)


def follows(metric: str, facts: dict[str, float], data: Data, what: str) -> Verdict:
    """Return whether the machines' mean throughput is ordered as a fact about them."""
    means = {gpu: data.mean(metric, gpu) for gpu in GPUS}
    by_fact = sorted(GPUS, key=facts.__getitem__)
    evidence = (
        "geometric mean over the common cells: "
        + "; ".join(f"{gpu} {means[gpu]:.4g} images/s, {facts[gpu]:g} {what}" for gpu in by_fact)
        + ". Three machines that differ in everything at once: an order, not a cause"
    )
    return judged([by_fact == sorted(GPUS, key=means.__getitem__)], evidence)


def clock(data: Data) -> Verdict:
    means = {gpu: data.mean("throughput", gpu) for gpu in GPUS}
    quickest = max(GPUS, key=CLOCK_MHZ.__getitem__)
    evidence = "; ".join(f"{gpu} {CLOCK_MHZ[gpu]} MHz, {means[gpu]:.4g} images/s" for gpu in GPUS)
    return judged(
        [means[quickest] == min(means.values())], f"{evidence}: the highest clock has the lowest mean"
    )


def capability(data: Data) -> Verdict:
    means = {gpu: data.mean("throughput", gpu) for gpu in GPUS}
    evidence = "; ".join(f"{gpu} {CAPABILITY[gpu]}, {means[gpu]:.4g} images/s" for gpu in GPUS)
    return Verdict(
        "cannot be told",
        f"{evidence}: the highest capability is the slowest, but the tables do not say which operations ran",
    )


def newer_is_frugal(data: Data) -> Verdict:
    pairs = ((A2, V100), (V100, TITAN), (A2, TITAN))
    parts, words = [], []
    for metric, name in (("power", "W"), ("energy", "J an image")):
        for newer, older in pairs:
            cells = data.common(newer, older)
            wins = sum(
                (data.value(metric, newer, r, s) or 0) < (data.value(metric, older, r, s) or 0)
                for r, s in cells
            )
            parts.append(wins == len(cells))
            words.append(f"{newer} below {older} in {wins} of {len(cells)} cells ({name})")
    return judged(parts, "; ".join(words))


def a2_every_case(data: Data) -> Verdict:
    cells = data.common(*GPUS)
    wins = sum(min(GPUS, key=lambda g: data.value("power", g, r, s) or 0) == A2 for r, s in cells)
    return judged([wins == len(cells)], f"lowest power in {wins} of {len(cells)} common cells")


def tf_until_32(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (8, 16, 32)]
    parts = [data.best("power", gpu, size) == "tf" for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'power')}"
        for (gpu, size), part in zip(cells, parts, strict=True)
        if not part
    ]
    frugal = sum(data.best("energy", gpu, size) == "tf" for gpu, size in cells)
    places = [[r for r, _ in data.ranking("energy", g, s)].index("tf") + 1 for g, s in cells]
    evidence = (
        f"lowest power in {sum(parts)} of {len(parts)} (not: {listed(wrong)}). In energy an image, which decides what a job costs, "
        f"tf is best in {frugal} and at places {min(places)} to {max(places)} of 8"
    )
    return judged(parts, evidence)


def tensorrt_from_32(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in SIZES if size > 32]
    parts = [data.best("power", gpu, size) in TENSORRT for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'power')}"
        for (gpu, size), part in zip(cells, parts, strict=True)
        if not part
    ]
    return judged(
        parts, f"lowest power in {sum(parts)} of {len(parts)} cells above batch size 32; not: {listed(wrong)}"
    )


def tensorrt_difference(data: Data) -> Verdict:
    parts, words = [], []
    for gpu in GPUS:
        gaps = [
            abs(
                (data.value("power", gpu, TENSORRT[0], s) or 0)
                - (data.value("power", gpu, TENSORRT[1], s) or 0)
            )
            for s in SIZES
        ]
        parts += [20 <= gap <= 30 for gap in gaps]
        words.append(f"{gpu} {min(gaps):.1f} to {max(gaps):.1f} W")
    return judged(parts, f"{'; '.join(words)}: within 20 to 30 W in {sum(parts)} of {len(parts)} cells")


def onnxrt_power(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in SIZES]
    most = sum(data.ranking("power", gpu, size)[-1][0] == "onnxrt" for gpu, size in cells)
    places = {
        g: [[r for r, _ in data.ranking("energy", g, s)].index("onnxrt") + 1 for s in SIZES] for g in GPUS
    }
    evidence = (
        f"highest power in {most} of {len(cells)} cells; but in energy an image its places over the batch sizes 8 to 512 are "
        + "; ".join(f"{gpu} {listed(found)}" for gpu, found in places.items())
    )
    frugal = [gpu for gpu, found in places.items() if sum(place <= 3 for place in found) > len(SIZES) / 2]
    evidence += f": on {listed(frugal)} it is among the three most frugal at most batch sizes"
    return judged([most > len(cells) / 2, not frugal], evidence)


def trend(data: Data) -> Verdict:
    lines = regressions(data.results.summaries)
    rising = sum(line.slope > 0 for line in lines.values())
    weak = [
        f"{row} on {scope[0]} (R2 {line.r2:.2f})" for (scope, row), line in lines.items() if line.r2 < 0.5
    ]
    return judged(
        [rising == len(lines)],
        f"the slope is positive for {rising} of {len(lines)}; R2 below 0.5: {listed(weak)}",
    )


def negative_slope(data: Data) -> Verdict:
    lines = regressions(data.results.summaries)
    least = min(lines, key=lambda key: lines[key].slope)
    return Verdict(
        "cannot be told",
        f"a definition; none has one: the least is {least[1]} on {least[0][0]}, {1e3 * lines[least].slope:+.3g} mW per image/s",
    )


def gentle(gpu: str, named: tuple[str, ...]) -> Callable[[Data], Verdict]:
    """Return the check that the named rows have the smallest slopes of power on throughput on a GPU."""

    def check(data: Data) -> Verdict:
        lines = {
            row: line for (scope, row), line in regressions(data.results.summaries).items() if scope[0] == gpu
        }
        order = sorted(lines, key=lambda row: lines[row].slope)
        parts = [row in order[: len(named)] for row in named]
        words = [f"{row} {1e3 * lines[row].slope:+.3g} (R2 {lines[row].r2:.2f})" for row in order]
        return judged(parts, f"slopes in mW per image/s, least first: {'; '.join(words)}")

    return check


def tensorrt_at_32_and_64(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (32, 64)]
    parts = [data.best("throughput", gpu, size) in TENSORRT for gpu, size in cells]
    return judged(parts, "; ".join(f"{gpu} at {lead(data, gpu, size)}" for gpu, size in cells))


def tensorrt_power(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (32, 64)]
    parts = [data.best("energy", gpu, size) in TENSORRT for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'energy')} J an image"
        for (gpu, size), ok in zip(cells, parts, strict=True)
        if not ok
    ]
    return judged(
        parts,
        f"sustainable read as least energy an image: true in {sum(parts)} of {len(parts)} cells; not: {listed(wrong)}",
    )


def table_1(data: Data) -> Verdict:
    missing = [
        f"{gpu} with {row} ({data.value('throughput', gpu, row, 16):.4g} against {data.value('throughput', V100, row, 16):.4g})"
        for row in data.rows
        for gpu in (A2, TITAN)
        if (data.value("throughput", gpu, row, 16) or 0) > (data.value("throughput", V100, row, 16) or 0)
        and (gpu, row) not in {(TITAN, r) for r in ("tfxla", "kerasxla", *TENSORRT)}
    ]
    return judged(
        [not missing],
        f"cells of batch size 16 that beat the V100 but have no asterisk in table 1: {listed(missing)}",
    )


CLAIMS: tuple[tuple[str, str, Callable[[Data], Verdict]], ...] = (
    ("Reading conventions", "Table 1 marks every GPU that outperformed the V100 with an asterisk.", table_1),
    ("Throughput", "On the A2 the TensorRT frameworks give the best throughput from batch size 16 to 256.", tensorrt_on_a2),
    ("Throughput", "On the A2 onnxrt outperforms at batch sizes 8 and 512.", onnxrt_on_a2),
    ("Throughput", "On the V100 onnxrt outperforms every other framework by significant margins.", onnxrt_on_v100),
    ("Throughput", "On the V100 torch keeps up well, next after onnxrt.", torch_on_v100),
    ("Throughput", "On the TITAN X onnxrt is best at every batch size except 32.", onnxrt_on_titan),
    ("Throughput", "On the TITAN X tfxla outperforms the others at batch size 16.", tfxla_on_titan),
    (
        "Throughput",
        "For one batch size and framework the V100 beats the other GPUs, except at 8 to 32, where the TITAN X beats it "
        "with some XLA and TensorRT frameworks.",
        v100_first,
    ),
    ("Throughput", "More CUDA cores can draw more throughput.", lambda d: follows("throughput", CORES, d, "cores")),
    ("Throughput", "A higher base clock alone is not enough for higher throughput.", clock),
    ("Throughput", "A high compute capability is only useful if the model uses its operations.", capability),
    ("Throughput", "A bigger bus width and bandwidth can help.", lambda d: follows("throughput", BANDWIDTH, d, "GB/s")),
    ("Power", "Newer GPUs are more power efficient; the older, the less.", newer_is_frugal),
    ("Power", "The A2 had the better power consumption in watts in every case.", a2_every_case),
    ("Power", "On each machine tf is the most power efficient up to batch size 32.", tf_until_32),
    ("Power", "From 32 onwards the best is tftrtfp16 or tftrtfp32.", tensorrt_from_32),
    ("Power", "The two TensorRT rows are comparable, with a difference of 20 to 30 W.", tensorrt_difference),
    ("Power", "Onnxrt is among the fastest but not power efficient.", onnxrt_power),
    ("Power against throughput", "On every GPU higher throughput takes more power.", trend),
    ("Power against throughput", "An ideal framework has a negative slope.", negative_slope),
    ("Power against throughput", "On the A2 tftrtfp16, tftrtfp32 and kerasxla rise least.", gentle(A2, (*TENSORRT, "kerasxla"))),
    ("Power against throughput", "On the V100 tftrtfp32 rises least.", gentle(V100, ("tftrt fp32",))),
    ("Power against throughput", "On the TITAN X tftrtfp16, tftrtfp32 and onnxrt rise least.", gentle(TITAN, (*TENSORRT, "onnxrt"))),
    ("Conclusion", "At batch sizes 32 and 64 TensorRT has better throughput than the other frameworks.", tensorrt_at_32_and_64),
    ("Conclusion", "The power consumption of TensorRT is sustainable as well.", tensorrt_power),
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
