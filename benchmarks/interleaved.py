"""Measures two loops in turns, for the claim of overhead.py and gpu_overhead.py that inferometer's is as fast as one by hand.

inferometer's loop and the hand-written one run in two fresh processes under the same interpreter and variables, one asleep
while the other loops, a second or so each, in the order A B B A; then in two fresh processes again. (A part of the two
scripts, not one to run.)

Compilers choose kernels by timing them, so two processes that compile the same program may run different ones, up to
20 % apart. The two of a pair share what is compiled and chosen: what is left between them is the loop.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from contests import Contest, Result, report

from inferometer.energy.view import MeterNeeds
from inferometer.models.prepare import prepare
from inferometer.planning.devices import gpu_of
from inferometer.planning.request import RunRequest
from inferometer.records import Cell, Protocol
from inferometer.running.messages import measure_message, open_message
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.launch import launch_worker
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.running.run import prepare_run
from inferometer.storage.cache import cache_folder
from inferometer.worker.protocol import Measured, Open, Opened

Answered = TypeVar("Answered", Opened, Measured)
HAND = Path(__file__).with_name("handloops.py")


class Ours:
    """inferometer's worker, asked as the runner asks it."""

    def __init__(self, child: Child, opening: Cell, open_request: Open, request: RunRequest) -> None:
        self._client = WorkerClient(child, request.protocol.timeout_s, SilentObserver(), 0)
        self._request = request
        _answered(opening, self._client.open(opening, open_request))

    def turn(self, cell: Cell, seconds: float) -> tuple[float, float]:
        """Return images/s of at least so many seconds, and the seconds that were neither preparation nor loops."""
        start = time.monotonic()
        asked = measure_message(cell, self._request, MeterNeeds(seconds))
        answer = _answered(cell, self._client.measure(cell, asked))
        elapsed_s = time.monotonic() - start
        loops_s = sum(loop["elapsed_s"] for loop in answer.loops)
        known_s = loops_s + sum(answer.prepare[name] for name in ("compile_s", "first_run_s", "warmup_s"))
        return answer.images * len(answer.loops) / loops_s, elapsed_s - known_s


def _answered(cell: Cell, answer: Answered | Ending) -> Answered:
    """Return an answer; RuntimeError for one that is an ending, or of a cell that failed a check."""
    if isinstance(answer, Ending):
        raise RuntimeError(f"{cell.key}: {answer.status}: {answer.cause}")
    if isinstance(answer, Measured) and answer.status != "ok":
        raise RuntimeError(f"{cell.key}: {answer.status}: {answer.cause}")
    return answer


class Hand:
    """The hand-written loop, which does a turn for each line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version = str(self._line()["version"])

    def turn(self, size: int, seconds: float) -> float:
        """Return images/s of at least so many seconds."""
        assert self._process.stdin
        self._process.stdin.write(f"{size} {seconds}\n")
        self._process.stdin.flush()
        return float(self._line()["throughput"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout and self._process.stderr
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the hand-written loop failed: {' '.join(self._process.stderr.read().split())[-400:]}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


class Arena:
    """Environments and artifacts for contests on one device, made once."""

    def __init__(
        self, contests: Sequence[Contest], sizes: Sequence[int], protocol: Protocol, folder: Path,
        device: str = "cpu", python: dict[str, Path] | None = None,
    ) -> None:  # fmt: skip
        self.sizes = tuple(sizes)
        self._folder = folder
        self._request = RunRequest(
            batch_sizes=self.sizes, devices=(device,), python=python or {}, protocol=protocol
        )
        preparation = prepare_run(self._of(contests))
        self._protocol = preparation.request.protocol
        self._gpu = gpu_of(device, preparation.machine)
        self._plan = preparation.plan
        self.skips = {
            (skip.cell.framework, skip.cell.precision, skip.cell.mode): skip.reason
            for skip in self._plan.skips
        }
        self._ready = ReadyEnvironments(preparation.request, self._plan, folder / "logs", print)
        self._ready.build_rows()
        forms = set(self._plan.forms.values())
        models = cache_folder("models")
        self._model = prepare(
            self._request.model,
            preparation.situation.source,
            forms,
            self._ready.run_step,
            models,
            progress=print,
        )

    def _of(self, contests: Sequence[Contest]) -> RunRequest:
        return msgspec.structs.replace(
            self._request,
            frameworks=tuple(dict.fromkeys(contest.framework for contest in contests)),
            precisions=tuple(dict.fromkeys(contest.precision for contest in contests)),
            modes=tuple(dict.fromkeys(contest.mode for contest in contests)),
        )

    def turns(self, contest: Contest, pairs: int, turns: int, seconds: float) -> Iterator[Result]:
        """Yield what there is after each of ``pairs`` pairs of processes; a side that fails ends the contest with its words."""
        result = Result(contest)
        reason = self.skips.get((contest.framework, contest.precision, contest.mode))
        if reason:
            result.problem = f"skipped: {reason}"
            yield result
            return
        for pair in range(pairs):
            try:
                self._pair(contest, result, pair, turns, seconds)
            except RuntimeError as error:
                result.problem = str(error)
                yield result
                return
            yield result

    def _pair(self, contest: Contest, result: Result, pair: int, turns: int, seconds: float) -> None:
        cells = {cell.batch_size: cell for cell in self._plan.cells if _is_of(cell, contest)}
        first = next(iter(cells.values()))
        rates: dict[int, tuple[list[float], list[float]]] = {size: ([], []) for size in cells}
        shared = self._folder / "compile-cache" / f"{contest.framework.replace(':', '_')}-{pair}"
        with self._our_worker(first, pair, shared) as ours, self._hand_loop(contest, first, shared) as hand:
            result.version = hand.version
            for size, turn in itertools.product(cells, range(turns)):
                for side in ("ours", "hand") if turn % 2 == 0 else ("hand", "ours"):
                    if side == "ours":
                        rate, overhead_s = ours.turn(cells[size], seconds)
                        rates[size][0].append(rate)
                        result.overhead_s.append(overhead_s)
                    else:
                        rates[size][1].append(hand.turn(size, seconds))
        for size, (mine, theirs) in rates.items():
            result.ours.setdefault(size, []).append(mine)
            result.hand.setdefault(size, []).append(theirs)

    @contextlib.contextmanager
    def _our_worker(self, cell: Cell, pair: int, shared: Path) -> Iterator[Ours]:
        launch = self._launch(cell)
        choice = self._plan.row(cell).choice
        request = msgspec.structs.replace(self._request, protocol=self._protocol)
        artifact = self._model.artifacts[self._plan.forms[cell]]
        opening = open_message(cell, choice, artifact, request=request, model=self._model, cache=shared)
        log = self._folder / "logs" / f"{cell.framework.replace(':', '_')}-{pair}.log"
        with Child(launch.python, {**launch.environment, **compiled_in(shared)}, log) as child:
            yield Ours(child, cell, opening, request)

    @contextlib.contextmanager
    def _hand_loop(self, contest: Contest, cell: Cell, shared: Path) -> Iterator[Hand]:
        launch = self._launch(cell)
        artifact = self._model.artifacts[self._plan.forms[cell]]
        command = [str(launch.python), str(HAND), contest.loop, "--model", str(artifact.path)]
        command += ["--inputs", str(self._model.inputs)]
        for name in ("images", "warmup", "threads"):
            command += [f"--{name}", str(getattr(self._protocol, name))]
        pipe = subprocess.PIPE
        variables = {**launch.environment, **compiled_in(shared)}
        process = subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        with process:
            try:
                yield Hand(process)
            finally:
                process.kill()

    def _launch(self, cell: Cell) -> Any:
        environment = self._ready.rows[cell.framework, cell.device]
        return launch_worker(environment, self._gpu if cell.device != "cpu" else None, self._protocol.threads)


def compiled_in(folder: Path) -> dict[str, str]:
    """Return the variables by which Inductor and XLA keep compiled programs and chosen kernels in a folder (made here)."""
    choices = folder / "xla"
    choices.mkdir(parents=True, exist_ok=True)
    return {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": f"--xla_gpu_per_fusion_autotune_cache_dir={choices}",
    }


def _is_of(cell: Cell, contest: Contest) -> bool:
    return (cell.framework, cell.precision, cell.mode) == (contest.framework, contest.precision, contest.mode)


def compete(
    arena: Arena, contests: Sequence[Contest], pairs: int, turns: int, seconds: float, folder: Path, name: str
) -> str:
    """Hold contests one after another; NAME.json and NAME.md are up to date after every pair. Return the table."""
    results: list[Result] = []
    text = ""
    for contest in contests:
        results.append(Result(contest))
        for results[-1] in arena.turns(contest, pairs, turns, seconds):
            text = report(results, arena.sizes, folder, name)
    return text
