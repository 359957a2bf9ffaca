"""Measures an exported infer.py against the cell that it came from, for docs/results/exported.md's ratios.

    python benchmarks/exported.py [--frameworks onnxrt,openvino,...] [--precisions fp32] [--model NAME] [--batch-size 8]
                                  [--device cpu] [--python NAME=PATH ...] [--pairs 4] [--turns 6] [--seconds 1.5]
                                  [--limit SECONDS] [--out DIR]

A run measures each framework once, `inferometer export` writes its folder, and `infer.py --check` must pass. Then inferometer's
worker, asked as a run asks it, and infer.py's own `bench` live in two fresh processes of the same environment, one asleep while
the other loops, a turn of so many seconds each, in the order A B B A; then in two fresh processes again. Run it on a quiet
machine. Writes exported.md and exported.json into DIR after each pair; with a DIR that has them it goes on, with the frameworks named.
A row that cannot be exported or whose check fails is told and left out. No pair begins after the limit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.cli import invoke
from inferometer.energy.view import MeterNeeds
from inferometer.models.prepare import prepare
from inferometer.planning.devices import gpu_of
from inferometer.planning.request import from_builtins
from inferometer.records import Cell
from inferometer.running.messages import measure_message, open_message
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.launch import Launch, launch_worker
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.running.run import prepare_run
from inferometer.storage.cache import cache_folder
from inferometer.storage.run_directory import StoredRun, read_run

FRAMEWORKS = "onnxrt,openvino,torch-compile,litert,tf"
# what `--bench` does, a turn for each line, so that two processes can take turns
DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import infer
rule = json.loads((infer.HERE / "proof.json").read_text())["protocol"]
model = infer.Model()
for line in sys.stdin:
    turn = {**rule, "loops": 1, "least": 1, "window_s": float(line), "most_s": 0.0, "warmup_s": 0.0}
    print(infer.bench(model, turn), flush=True)
"""


class Arena:
    """A measured run with its environments and model, and the folders exported of it."""

    def __init__(self, run: StoredRun, folder: Path) -> None:
        self._folder = folder
        self._preparation = preparation = prepare_run(from_builtins(run.info.request))
        self._ready = ReadyEnvironments(preparation.request, preparation.plan, folder / "logs", print)
        self._ready.build_rows()
        self._model = prepare(
            preparation.request.model,
            preparation.situation.source,
            set(preparation.plan.forms.values()),
            self._ready.run_step,
            cache_folder("models"),
            progress=print,
        )

    def launch(self, cell: Cell) -> Launch:
        """Return how both sides are started: interpreter and variables of a run's worker."""
        environment = self._ready.rows[cell.framework, cell.device]
        gpu = gpu_of(cell.device, self._preparation.machine)
        return launch_worker(environment, gpu, self._preparation.request.protocol.threads)

    @contextlib.contextmanager
    def measured(self, cell: Cell, shared: Path) -> Iterator[Any]:
        """Yield a function that measures the cell for so many seconds, in a fresh worker, and returns images/s."""
        launch, plan, request = self.launch(cell), self._preparation.plan, self._preparation.request
        artifact = self._model.artifacts[plan.forms[cell]]
        choice = plan.row(cell).choice
        opening = open_message(cell, choice, artifact, request=request, model=self._model, cache=shared)
        log = self._folder / "logs" / f"{shared.name}.log"
        with Child(launch.python, {**launch.environment, **_compiled_in(shared)}, log) as child:
            client = WorkerClient(child, 900, SilentObserver(), 0)
            _facts(cell, client.open(cell, opening))

            def turn(seconds: float) -> float:
                message = measure_message(cell, request, MeterNeeds(seconds))
                answer = _facts(cell, client.measure(cell, message))
                return (
                    answer["images"]
                    * len(answer["loops"])
                    / sum(loop["elapsed_s"] for loop in answer["loops"])
                )

            yield turn

    @contextlib.contextmanager
    def exported(self, cell: Cell, shared: Path, deploy: Path) -> Iterator[Any]:
        """Yield the same of a fresh process of infer.py."""
        launch = self.launch(cell)
        command = [str(launch.python), "-c", DRIVER, str(deploy)]
        variables = {**launch.environment, **_compiled_in(shared)}
        pipe = subprocess.PIPE
        log = self._folder / "logs" / f"{shared.name}-exported.log"
        with (
            log.open("w") as errors,
            subprocess.Popen(
                command, env=variables, stdin=pipe, stdout=pipe, stderr=errors, text=True
            ) as process,
        ):

            def turn(seconds: float) -> float:
                assert process.stdin and process.stdout
                process.stdin.write(f"{seconds}\n")
                process.stdin.flush()
                return float(process.stdout.readline() or "nan")

            try:
                yield turn
            finally:
                process.kill()


def _facts(cell: Cell, answer: Any) -> dict[str, Any]:
    """Return what a worker answered; SystemExit where the cell ended otherwise than well."""
    if isinstance(answer, Ending):
        raise SystemExit(f"{cell.key}: {answer.status}: {answer.cause}")
    facts = vars(answer)
    if facts.get("status", "ok") != "ok":
        raise SystemExit(f"{cell.key}: {facts['status']}: {facts['cause']}")
    return facts


def _name(cell: Cell) -> str:
    """Return what a row is called in names of files and in the table."""
    return f"{cell.framework.replace(':', '_')}-{cell.precision}"


def _compiled_in(shared: Path) -> dict[str, str]:
    """Return what lets the two of a pair run the same compiled code, kept of one pair only."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(shared / "inductor")}


def ratio(pairs: list[list[tuple[float, float]]]) -> tuple[float, float, float]:
    """Return exported over measured: the geometric mean of the pairs' medians, with a 95 % t-interval over the pairs."""
    from inferometer.quantiles import CONFIDENCE, t_quantile

    logs = [statistics.median(math.log(b / a) for a, b in pair) for pair in pairs]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), math.nan, math.nan
    reach = t_quantile(CONFIDENCE, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def table(found: dict[str, list[list[tuple[float, float]]]], run: StoredRun) -> str:
    """Return the result as Markdown."""
    machine = run.info.machine
    lines = [
        f"{', '.join([*(gpu.name for gpu in machine.gpus), machine.cpu])} ({machine.cpu_revision}), "
        f"{run.info.protocol.threads} threads, {time.strftime('%Y-%m-%d')}; "
        f"{run.info.model.name}, batch size {run.info.cells[0].batch_size}",
        "",
        "| row | measured cell, images/s | infer.py, images/s | ratio | 95 % interval | pairs of processes |",
        "|---|--:|--:|--:|---|--:|",
    ]
    for row, pairs in found.items():
        middle, low, high = ratio(pairs)
        cell, own = (statistics.median(turn[side] for pair in pairs for turn in pair) for side in (0, 1))
        interval = f"{low:.3f} to {high:.3f}" if math.isfinite(low) else "one pair"
        lines.append(f"| {row} | {cell:,.0f} | {own:,.0f} | {middle:.3f} | {interval} | {len(pairs)} |")
    return "\n".join(lines) + "\n"


def contest(
    arena: Arena, cell: Cell, pair: int, folder: Path, turns: int, seconds: float
) -> list[tuple[float, float]]:
    """Return (measured, exported) of each turn of a pair of fresh processes."""
    shared = folder / "compiled" / f"{_name(cell)}-{pair}"
    shared.mkdir(parents=True, exist_ok=True)
    deploy = folder / f"deploy-{_name(cell)}"
    rates = []
    with arena.measured(cell, shared) as ours, arena.exported(cell, shared, deploy) as theirs:
        for turn in range(turns):
            order = (ours, theirs) if turn % 2 == 0 else (theirs, ours)
            first, second = (side(seconds) for side in order)
            rates.append((first, second) if turn % 2 == 0 else (second, first))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frameworks", default=FRAMEWORKS)
    parser.add_argument("--model", default="mobilenet_v3_large")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precisions", default="fp32")
    parser.add_argument(
        "--python", action="append", default=[], help="NAME=PATH, an interpreter of an environment, as of run"
    )
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds of this call")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp(prefix="exported-"))
    until = time.monotonic() + given.limit
    run = measured(given, folder)
    kept = folder / "exported.json"
    arena, found = Arena(run, folder), json.loads(kept.read_text()) if kept.exists() else {}
    cells = [cell for cell in run.info.cells if cell.framework in given.frameworks.split(",")]
    cells = [cell for cell in cells if export(arena, run, cell, folder)]
    for pair in range(given.pairs):
        for cell in cells:
            if time.monotonic() > until:
                break
            rates = contest(arena, cell, pair, folder, given.turns, given.seconds)
            found.setdefault(_name(cell), []).append(rates)
            kept.write_text(json.dumps(found, indent=1))
            (folder / "exported.md").write_text(table(found, run))
    print(table(found, run))


def measured(given: argparse.Namespace, folder: Path) -> StoredRun:
    """Measure the cells once."""
    options = {
        "--frameworks": given.frameworks,
        "--precisions": given.precisions,
        "--device": given.device,
        "--batch-sizes": given.batch_size,
        "--images": given.images,
        "--loops": 3,
        "--warmup": 2,
        "--rounds": 1,
        "--out": folder / "run",
    }
    words = [str(word) for pair in options.items() for word in pair]
    pythons = [word for each in given.python for word in ("--python", each)]
    if not (folder / "run").exists():
        invoke(["run", given.model, *words, *pythons])  # rows that fail are told, and left out by `export`
    return read_run(folder / "run")


def export(arena: Arena, run: StoredRun, cell: Cell, folder: Path) -> bool:
    """Export a cell and check it in the environment that measured it; whether both went well."""
    deploy = folder / f"deploy-{_name(cell)}"
    if not deploy.exists() and invoke(["export", str(run.path), cell.key, "--out", str(deploy)]):
        return False
    launch = arena.launch(cell)
    command = [str(launch.python), str(deploy / "infer.py"), "--check"]
    done = subprocess.run(command, env=dict(launch.environment), check=False)
    print(
        f"{cell.key}: --check {'passed' if done.returncode == 0 else f'ended with {done.returncode}'}",
        flush=True,
    )
    return done.returncode == 0


if __name__ == "__main__":
    main()
