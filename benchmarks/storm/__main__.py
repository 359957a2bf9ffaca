"""The fault storm: at least 300 faults by seed over real runs, and a table of what became of them.

    python benchmarks/storm                      all kinds, seed 0; writes docs/results/storm.md when every kind was asked for
    python benchmarks/storm --kinds sigkill torn --seed 7 --count 5

Each fault must lose no record, and leave no hang, no process and no traceback; what was interrupted is resumed and must be whole. It takes a
quarter of an hour on a quiet machine with two cores. Linux; what needs mounts is left out where this user may not make them.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from kinds import children, parent, stored, strangers, surroundings
from table import markdown, printed
from trial import Trial
from world import ROOT, World, import_all

import processes

# kind: (what provokes it, how many)
KINDS = {
    "the command: SIGINT": (parent.sigint, 12),
    "the command: SIGTERM": (parent.sigterm, 10),
    "the command: SIGHUP": (parent.sighup, 5),
    "the command: SIGKILL": (parent.sigkill, 16),
    "the command: several signals": (parent.several_signals, 7),
    "a worker ended while loading": (children.loading, 8),
    "a worker ended while preparing": (children.preparing, 8),
    "a worker ended in the warm-up": (children.warming, 6),
    "a worker ended while measuring": (children.measuring, 8),
    "a worker suspended": (children.suspended, 2),
    "a worker without memory": (children.starved, 6),
    "a step ended": (children.step_killed, 8),
    "a step that never ends": (children.endless_step, 2),
    "SIGCHLD ignored, a worker killed": (surroundings.child_signals_ignored, 6),
    "a hostile working directory": (surroundings.hostile_folder, 5),
    "the same, an environment to build": (surroundings.hostile_folder_builds, 2),
    "files limited in size": (surroundings.largest_file, 8),
    "a full disk": (surroundings.full_disk, 7),
    "a read-only cache": (surroundings.read_only_cache, 3),
    "a full /dev/shm": (surroundings.full_shared_memory, 2),
    "a clock that steps": (surroundings.clock_steps, 3),
    "bytes of a run directory": (stored.run_directory, 60),
    "a torn record": (stored.torn, 8),
    "bits of a cached model": (stored.cached_model, 7),
    "bits of cached inputs and references": (stored.cached_inputs, 6),
    "bits that no time stamp tells": (stored.silent_rot, 6),
    "an environment's entry": (stored.environment_entry, 4),
    "clients of serve": (strangers.clients, 28),
    "malformed CSV": (strangers.csv_files, 50),
}  # fmt: skip


def main() -> int:
    asked = _arguments()
    processes.hear_ctrl_c()
    processes.adopt_orphans()
    import_all()
    chosen = {name: found for name, found in KINDS.items() if not asked.kinds or name in asked.kinds}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        world = World(Path(folder) / "w")
        trials = [trial for name in chosen for trial in _kind(world, name, asked)]
    seconds = time.monotonic() - started
    print(printed(trials, asked.seed, seconds))
    if not asked.kinds and not asked.count:
        (ROOT / "docs/results/storm.md").write_text(markdown(trials, asked.seed))
    return 0 if all(trial.is_fine for trial in trials) else 1


def _kind(world: World, name: str, asked: argparse.Namespace) -> list[Trial]:
    provoke, count = KINDS[name]
    trials = []
    for place in range(asked.count or count):
        trial = Trial(name, place)
        started = time.monotonic()
        try:
            provoke(trial, world, random.Random(f"{asked.seed} {name} {place}"))
        except Exception:  # of the storm itself: a fault that could not be judged is none that passed
            trial.wrong.append(traceback.format_exc(limit=-4))
        trial.seconds = time.monotonic() - started
        trials.append(trial)
        mark = "fine" if trial.is_fine else "WRONG"
        print(f"{name} {place}: {mark}, {trial.became}, {trial.seconds:.1f} s", file=sys.stderr, flush=True)
        for line in trial.wrong:
            print(f"    {line}", file=sys.stderr, flush=True)
        world.clear()
    return trials


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="so many of each kind, instead of its own number")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
