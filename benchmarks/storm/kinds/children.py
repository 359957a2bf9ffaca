"""Workers and steps are killed, stopped, starved or never end, in each phase; the run goes on, and resuming completes it."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import time
from pathlib import Path

from trial import Trial, records_in
from world import CELLS, SHORT, World

import processes
from inferometer.running.progress.observer import SilentObserver
from kinds.parent import resumed


class _At(SilentObserver):
    """Does something to the worker when a cell enters a phase for the nth time."""

    def __init__(self, phase: str, nth: int, delay_s: float, act) -> None:
        self._phase, self._left, self._delay_s, self._act = phase, nth, delay_s, act

    def cell_phase(self, cell, round_number, phase) -> None:
        if phase != self._phase:
            return
        self._left -= 1
        if not self._left:
            time.sleep(self._delay_s)
            for pid in processes.children_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    self._act(pid)


def _measured(world: World, out: Path, observer, **options):
    """Measure as the command does, in a copy of this process, with an observer of ours."""

    def call() -> int:
        from inferometer.planning.request import make_request
        from inferometer.running.run import execute

        usual = {"images": 4, "loops": 2, "warmup": 1, "rounds": 2, "threads": 1, "timeout_s": 20.0}
        request = make_request(
            world.model, frameworks="onnxrt", batch_sizes="1,2", device="cpu", **{**usual, **options}
        )
        execute(request, out, observer)
        return 0

    return processes.forked(call)


def _in(phase: str, **options):
    def provoke(trial: Trial, world: World, chance: random.Random) -> None:
        out = world.folder() / "run"
        number = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT))
        observer = _At(
            phase,
            chance.randint(1, 2),
            chance.choice((0, chance.uniform(0, 0.05))),
            lambda pid: os.kill(pid, number),
        )
        trial.ended(_measured(world, out, observer, **options), statuses=(0,))
        before = records_in(out)
        statuses = sorted({record.status for record in before})
        trial.became = f"{signal.Signals(number).name}: {', '.join(statuses)}"
        for record in before:
            named = record.status == "ok" or signal.Signals(number).name in record.cause
            trial.expect(named, f"the cause does not name the signal: {record.cause}")
        trial.lost += CELLS - len({(record.cell, record.round) for record in before})
        resumed(trial, world, out, before)

    return provoke


loading = _in("load")
preparing = _in("prepare")
warming = _in("warm-up", warmup=3000)
measuring = _in("loops", loops=300, images=64)


def suspended(trial: Trial, world: World, chance: random.Random) -> None:
    """A worker that is stopped, as by a scheduler, is ended by the time limit."""
    out = world.folder() / "run"
    observer = _At(
        chance.choice(("load", "prepare", "loops")), 1, 0, lambda pid: os.kill(pid, signal.SIGSTOP)
    )
    trial.ended(_measured(world, out, observer, timeout_s=4.0), statuses=(0,))
    before = records_in(out)
    trial.became = ", ".join(sorted({record.status for record in before}))
    trial.expect(
        any(record.status != "ok" for record in before), "nothing was told of a worker that was suspended"
    )
    resumed(trial, world, out, before)


def starved(trial: Trial, world: World, chance: random.Random) -> None:
    """A worker gets no more memory than it has, and a little."""
    out = world.folder() / "run"
    more = chance.choice((0, 1 << 12, 1 << 20, 1 << 23))

    def limit(pid: int) -> None:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[5])
        resource.prlimit(pid, resource.RLIMIT_DATA, (pages * resource.getpagesize() + more,) * 2)

    trial.ended(
        _measured(world, out, _At(chance.choice(("load", "prepare", "loops")), 1, 0, limit)), statuses=(0,)
    )
    before = records_in(out)
    trial.became = ", ".join(sorted({record.status for record in before}))
    trial.lost += CELLS - len({(record.cell, record.round) for record in before})
    resumed(trial, world, out, before)


def step_killed(trial: Trial, world: World, chance: random.Random) -> None:
    """A step is killed while it prepares the model: one line, nothing half-made in the cache, and the next run succeeds."""
    cache, out = world.copied_cache(models=False), world.folder() / "run"
    number, delay_s = chance.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)), chance.uniform(0, 0.5)

    def meanwhile(pid: int) -> None:
        deadline = time.monotonic() + 20
        while (
            not (found := processes.workers_of(pid))
            and processes.is_running(pid)
            and time.monotonic() < deadline
        ):
            time.sleep(0.005)
        time.sleep(delay_s)
        for child in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    own = {"INFEROMETER_CACHE": str(cache)}
    words = ["run", world.model, *SHORT, "--out"]
    done = trial.ended(processes.command(*words, out, environment=own, meanwhile=meanwhile))
    trial.became = f"status {done.status}"
    if done.status:
        trial.one_line(done)
        trial.expect(
            signal.Signals(number).name in done.err, f"the cause does not name the signal: {done.err[-300:]}"
        )
    trial.ended(processes.command(*words, world.folder() / "again", environment=own), statuses=(0,))


_ENDLESS = """
import onnx, sys
from onnx import TensorProto, helper, numpy_helper
import numpy as np
def info(name, kind, shape): return helper.make_tensor_value_info(name, kind, shape)
body = helper.make_graph(
    [helper.make_node("Identity", ["going"], ["still"]), helper.make_node("Sin", ["state"], ["next"])], "body",
    [info("turn", TensorProto.INT64, []), info("going", TensorProto.BOOL, []), info("state", TensorProto.FLOAT, ["N", 4])],
    [info("still", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, ["N", 4])])
graph = helper.make_graph(
    [helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)], "endless", [info("x", TensorProto.FLOAT, ["N", 4])],
    [info("y", TensorProto.FLOAT, ["N", 4])],
    [numpy_helper.from_array(np.array(2**62), "turns"), numpy_helper.from_array(np.array(True), "yes")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
onnx.save(model, sys.argv[1])
"""


def endless_step(trial: Trial, world: World, chance: random.Random) -> None:
    """A model that computes for ever is stopped while it is prepared."""
    import subprocess

    folder = world.folder()
    subprocess.run([world.python, "-c", _ENDLESS, folder / "endless.onnx"], check=True)
    limit = chance.choice(("0.5", "1"))
    words = ["run", folder / "endless.onnx", *SHORT, "--timeout", limit, "--out", folder / "run"]
    done = trial.ended(processes.command(*words))
    trial.one_line(done)
    trial.expect("--timeout" in done.err, f"the limit is not named: {done.err[-300:]}")
    trial.became = "stopped"
