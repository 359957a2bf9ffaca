"""Ours and a hand-written loop in turns (A B A B ...), each a fresh process under the same interpreter and variables."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inferometer.cache import cache_folder
from inferometer.execution import execute, prepare_run
from inferometer.gpus import find_gpus
from inferometer.launch import launch_worker
from inferometer.models.prepare import prepare
from inferometer.observer import SilentObserver
from inferometer.plan import gpu_of
from inferometer.provision import Provision
from inferometer.records import Protocol, Record
from inferometer.request import RunRequest

HAND = Path(__file__).with_name("handloops.py")


@dataclass(frozen=True)
class Contest:
    """One framework as inferometer runs it, and the hand-written loop that does the same."""

    framework: str
    loop: str
    precision: str = "fp32"
    mode: str = "host"


@dataclass
class Result:
    """Throughputs by batch size, one of each side a pair; and the fixed seconds of our cells."""

    contest: Contest
    ours: dict[int, list[float]] = field(default_factory=dict)
    hand: dict[int, list[float]] = field(default_factory=dict)
    overhead_s: list[float] = field(default_factory=list)
    version: str = ""
    problem: str = ""

    def ratio(self, size: int) -> tuple[float, float, float]:
        """Return the geometric mean of ours over hand by pair, with a 95 % t-interval (nan below two pairs)."""
        from scipy.stats import t

        logs = [math.log(a / b) for a, b in zip(self.ours[size], self.hand[size], strict=True)]
        mean = sum(logs) / len(logs)
        if len(logs) < 2:
            return math.exp(mean), math.nan, math.nan
        deviation = math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1))
        reach = float(t.ppf(0.975, len(logs) - 1)) * deviation / math.sqrt(len(logs))
        return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


class Arena:
    """Environments and artifacts for contests on one device, made once."""

    def __init__(
        self, contests: Sequence[Contest], sizes: Sequence[int], protocol: Protocol, folder: Path,
        device: str = "cpu", python: dict[str, Path] | None = None,
    ) -> None:  # fmt: skip
        self.sizes = tuple(sizes)
        self._folder = folder
        # no window for an energy meter: ours must loop as often as the hand-written loop
        self._request = RunRequest(
            batch_sizes=self.sizes, devices=(device,), python=python or {},
            protocol=msgspec.structs.replace(protocol, rounds=1, energy_window_s=1e-9),
        )  # fmt: skip
        preparation = prepare_run(self._of(contests))
        self._protocol = preparation.request.protocol
        self._gpu = gpu_of(device, preparation.machine) if find_gpus()[0] else None
        self._plan = preparation.plan
        self.skips = {
            (skip.cell.framework, skip.cell.precision, skip.cell.mode): skip.reason
            for skip in self._plan.skips
        }
        self._provision = Provision(preparation.request, self._plan, folder / "logs", print)
        self._provision.build_rows()
        forms = {self._plan.row(cell).choice.framework.form_at(cell.precision) for cell in self._plan.cells}
        models = cache_folder("models")
        self._model = prepare(self._request.model, forms, self._provision.run_step, models, print)

    def _of(self, contests: Sequence[Contest]) -> RunRequest:
        return msgspec.structs.replace(
            self._request,
            frameworks=tuple(dict.fromkeys(contest.framework for contest in contests)),
            precisions=tuple(dict.fromkeys(contest.precision for contest in contests)),
            modes=tuple(dict.fromkeys(contest.mode for contest in contests)),
        )

    def turns(self, contest: Contest, pairs: int) -> Iterator[Result]:
        """Yield what there is after each of ``pairs`` turns; a side that fails ends the contest with its words."""
        result = Result(contest)
        reason = self.skips.get((contest.framework, contest.precision, contest.mode))
        if reason:
            result.problem = f"skipped: {reason}"
            yield result
            return
        for pair in range(pairs):
            try:
                self._ours(contest, result, pair)
                self._hand(contest, result)
            except RuntimeError as error:
                result.problem = str(error)
                yield result
                return
            yield result

    def _ours(self, contest: Contest, result: Result, pair: int) -> None:
        name = f"{contest.framework}-{contest.precision}-{contest.mode}".replace(":", "_")
        run = execute(self._of([contest]), self._folder / "runs" / f"{name}-{pair}", SilentObserver())
        bad = [
            f"{record.cell.key}: {record.status}: {record.cause}"
            for record in run.records
            if record.status != "ok"
        ]
        bad += [f"{skip.cell.key}: {skip.reason}" for skip in run.info.skips]
        if bad:
            raise RuntimeError("; ".join(bad))
        for record in run.records:
            result.ours.setdefault(record.cell.batch_size, []).append(_throughput(record))
            result.overhead_s.append(record.overhead_s)

    def _hand(self, contest: Contest, result: Result) -> None:
        cell = next(
            cell for cell in self._plan.cells
            if (cell.framework, cell.precision, cell.mode) == (contest.framework, contest.precision, contest.mode)
        )  # fmt: skip
        artifact = self._model.artifacts[self._plan.row(cell).choice.framework.form_at(cell.precision)]
        environment = self._provision.rows[cell.framework, cell.device]
        launch = launch_worker(
            environment, self._gpu if cell.device != "cpu" else None, self._protocol.threads
        )
        command = [str(launch.python), str(HAND), contest.loop, "--model", str(artifact.path)]
        command += ["--inputs", str(self._model.inputs), "--batch-sizes", ",".join(map(str, self.sizes))]
        for name in ("images", "warmup", "loops", "threads"):
            command += [f"--{name}", str(getattr(self._protocol, name))]
        done = subprocess.run(
            command, env=dict(launch.environment), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the hand-written loop failed: {' '.join(done.stderr.split())[-400:]}")
        answer = json.loads(done.stdout.splitlines()[-1])
        result.version = answer["version"]
        for size, rate in answer["throughput"].items():
            result.hand.setdefault(int(size), []).append(rate)


def _throughput(record: Record) -> float:
    return record.images * len(record.loops) / sum(loop.elapsed_s for loop in record.loops)


def report(results: Sequence[Result], arena: Arena, folder: Path, name: str) -> str:
    """Write NAME.json into the folder and return a Markdown table."""
    lines = [
        "| framework | precision | mode | batch | ours (images/s) | hand-written | ratio | 95 % interval | pairs |",
        "|---|---|---|--:|--:|--:|--:|---|--:|",
    ]
    for result in results:
        contest = result.contest
        head = f"| {contest.framework} | {contest.precision} | {contest.mode}"
        if result.problem:
            lines.append(f"{head} | | | | | {result.problem} | |")
        for size in arena.sizes if not result.problem else ():
            ratio, low, high = result.ratio(size)
            ours, hand = (sum(rates[size]) / len(rates[size]) for rates in (result.ours, result.hand))
            interval = f"{low:.3f} to {high:.3f}" if math.isfinite(low) else "one pair"
            lines.append(
                f"{head} | {size} | {ours:,.0f} | {hand:,.0f} | {ratio:.3f} | {interval} | {len(result.ours[size])} |"
            )
    seconds = sorted(value for result in results for value in result.overhead_s)
    if seconds:
        lines.append("")
        lines.append(
            f"Fixed cost a cell beyond load, preparation and loops: median {seconds[len(seconds) // 2]:.3f} s, "
            f"largest {seconds[-1]:.3f} s ({len(seconds)} cells)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(
        json.dumps([msgspec.to_builtins(vars(result)) for result in results], indent=1)
    )
    text = "\n".join(lines)
    (folder / f"{name}.md").write_text(text + "\n")
    return text


def compete(arena: Arena, contests: Sequence[Contest], pairs: int, folder: Path, name: str) -> str:
    """Hold contests one after another; NAME.json and NAME.md are up to date after every pair. Return the table."""
    results: list[Result] = []
    text = ""
    for contest in contests:
        results.append(Result(contest))
        for results[-1] in arena.turns(contest, pairs):
            text = report(results, arena, folder, name)
    return text
