"""Every precision of the rows of a CPU that have int8, of a CNN and a transformer: speed, memory, and what a precision costs.

    python benchmarks/precisions.py DIR [--models timm:NAME,...] [--table-only] [--out docs/results/cpu-precisions.md] [-- OPTIONS]

DIR gets a run directory a model, measured by `inferometer run`; one that is whole is not measured again. OPTIONS go to
`inferometer run`, after those below.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import passed_on

from inferometer.results.cells import CellSummary, Results
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from inferometer.version import __version__

MODELS = "timm:mobilenetv3_small_050,timm:vit_tiny_patch16_224"
FRAMEWORKS = "onnxrt,openvino,litert,torch-compile,executorch"
PROTOCOL = (
    "--device",
    "cpu",
    "--precisions",
    "fp32,bf16,fp16,int8,int8-weights",
    "--batch-sizes",
    "8",
    "--rounds",
    "3",
    "--budget",
    "2",
)
HEAD = """# Precisions on a CPU

Random weights, {options}. Made by `benchmarks/precisions.py` with inferometer {version}.

*error*: of int8 the rms difference from fp32 over what inputs change, which quantising cost; of the others the largest difference from the fp32
reference over its largest value. *same top class*: of how many inputs it is the fp32 reference's. With random weights top classes lie close together, so
that both say more of the arithmetic than of a trained model.
"""


def main() -> None:
    arguments, extra = _arguments()
    folders = {model: arguments.folder / re.sub(r"\W+", "-", model) for model in arguments.models.split(",")}
    options = (*PROTOCOL, "--frameworks", arguments.frameworks, *extra)
    if not arguments.table_only:
        for model, folder in folders.items():
            measure(model, folder, options)
    parts = [
        section(model, summarise([read_run(folder)])) for model, folder in folders.items() if folder.exists()
    ]
    told = f"`inferometer run MODEL {' '.join(options)}`"
    arguments.out.write_text("\n".join([HEAD.format(options=told, version=__version__), *parts]))


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--models", default=MODELS, help="with commas")
    parser.add_argument("--frameworks", default=FRAMEWORKS, help="as of `inferometer run`")
    default = Path(__file__).resolve().parents[1] / "docs" / "results" / "cpu-precisions.md"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table again")
    return passed_on.parse(parser)


def measure(model: str, folder: Path, options: Sequence[str]) -> None:
    """Run inferometer on a model, or go on with its run where that was cut short."""
    command = [sys.executable, "-m", "inferometer", "run"]
    begun = (folder / "run.json").exists()
    subprocess.run(
        [*command, *(("--resume",) if begun else (model, *options, "--out")), str(folder)], check=False
    )


def section(model: str, results: Results) -> str:
    """Return a model's table: a row a framework and precision, the fastest first, then what was not measured and why."""
    (machine,) = results.machines.values()
    info = results.runs[0].info
    head = f"## {model}\n\n{machine.cpu}, {info.protocol.threads or machine.usable_cores} threads; int8 by {machine.int8 or 'unknown instructions'}.\n"
    measured = [cell for cell in results.summaries if cell.ranked]
    measured.sort(key=lambda cell: -cell.throughput.value if cell.throughput else 0)
    lines = ["| | images/s | of its fp32 | memory | error | same top class |", "|---|--:|--:|--:|--:|--:|"]
    lines += [_row(cell, results) for cell in measured]
    others = [f"- {cell.row}: {cell.status}, {cell.cause}" for cell in results.summaries if not cell.ranked]
    return "\n".join([head, *lines, "", *dict.fromkeys(others), ""])


def _row(cell: CellSummary, results: Results) -> str:
    rate = cell.throughput
    assert rate
    relative = f" ±{100 * rate.half_width:.3g} %" if rate.half_width is not None else ""
    base = next((other.throughput for other in results.summaries if _is_base(other, cell)), None)
    times = f"{rate.value / base.value:.2f}" if base else "-"
    memory = f"{cell.memory.value / 2**20:,.0f} MiB" if cell.memory else "-"
    name = f"{cell.cell.framework} {cell.cell.precision}"
    return f"| {name} | {rate.value:,.0f}{relative} | {times} | {memory} | {' | '.join(_cost(cell))} |"


def _is_base(other: CellSummary, cell: CellSummary) -> bool:
    same = (other.cell.framework, other.cell.batch_size) == (cell.cell.framework, cell.cell.batch_size)
    return same and other.cell.precision == "fp32" and other.ranked


def _cost(cell: CellSummary) -> tuple[str, str]:
    """Return the error against fp32, and of how many inputs the top class is fp32's."""
    lost = next((flag.values for flag in cell.flags if flag.kind == "quantised"), None)
    if lost:
        agreed = f"{lost['agree_k']} of {lost['agree_n']}" if "agree_n" in lost else "-"
        return f"{lost['error']:.1e}", agreed
    parity = cell.parity
    if not parity:
        return "-", "-"
    return f"{parity.max_rel:.1e}", f"{parity.agree_k} of {parity.agree_n}" if parity.agree_n else "-"


if __name__ == "__main__":
    main()
