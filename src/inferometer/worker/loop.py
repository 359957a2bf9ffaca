"""Warm-up and the timed loops."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import Any

from inferometer.worker.modes import Mode
from inferometer.worker.phase_shift import PhaseShift
from inferometer.worker.stopping import StoppingRule
from inferometer.worker.timed_sample import TimedSample


def warm_up(mode: Mode, placed: Sequence[Any], count: int, budget_s: float) -> tuple[int, float]:
    """Run ``count`` batches, or as many as start within ``budget_s`` (0: no limit); return how many, and the seconds."""
    start = time.monotonic()
    done = 0
    while done < count and not (budget_s and time.monotonic() - start > budget_s):
        mode.run(placed[done % len(placed)])
        done += 1
    mode.finish()
    return done, time.monotonic() - start


def measure_loops(
    mode: Mode,
    placed: Sequence[Any],
    rule: StoppingRule,
    shift: PhaseShift,
    sample: TimedSample | None = None,
) -> list[dict[str, Any]]:
    """Run loops over all batches until the rule is satisfied, with the pauses that ``shift`` asks for between them.

    Returns raw times (`records.Loop`); ``sample`` gets some of the outputs, between the loops.
    """
    gc.collect()  # rubbish of the preparation must not be collected on the clock
    loops = []
    while True:
        start_ns, end_ns, batch_s = (
            mode.timed_loop(placed, sample.wanted()) if sample is not None else mode.timed_loop(placed)
        )
        elapsed_s = (end_ns - start_ns) / 1e9
        rule.add_loop(elapsed_s)
        loops.append({"elapsed_s": elapsed_s, "start_ns": start_ns, "batch_s": batch_s})
        finished = rule.is_finished()
        if sample is not None and (finished or not mode.keeps_last_loop) and (kept := mode.kept()):
            sample.add(*kept)
        if finished:
            return loops
        pause_s = shift.pause_s(start_ns, end_ns)
        if pause_s:
            time.sleep(pause_s)
