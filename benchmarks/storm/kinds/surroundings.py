"""Hosts that are not as usual: signals ignored, a hostile folder, a full disk, a cache that cannot be written, clocks that step."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trial import Trial, measured, records_in
from world import SHORT, World

import processes
from kinds.parent import resumed


def child_signals_ignored(trial: Trial, world: World, chance: random.Random) -> None:
    """SIGCHLD is ignored, as cron's wrappers leave it, and a worker is killed: its cause is the signal, not status 0."""
    out, delay_s = world.folder() / "run", chance.uniform(0, 0.4)

    def meanwhile(pid: int) -> None:
        _kill_a_worker(pid, out, delay_s)

    def ignore() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    words = ["run", world.model, *SHORT, "--out", out]
    trial.ended(processes.run(words, prepare=ignore, meanwhile=meanwhile), statuses=(0, 1))
    before = records_in(out)
    trial.became = ", ".join(sorted({record.status for record in before}))
    trial.expect(
        not any("exit status 0" in record.cause for record in before),
        "a killed worker is said to have left with 0",
    )
    resumed(trial, world, out, before)


def _kill_a_worker(pid: int, out: Path, delay_s: float) -> None:
    deadline = time.monotonic() + processes.MOST_S
    while processes.is_running(pid) and time.monotonic() < deadline:
        if found := processes.workers_of(pid) if any((out / "logs").glob("*-onnxrt-*")) else []:
            time.sleep(delay_s)
            for worker in found:
                if processes.is_running(worker):
                    os.kill(worker, signal.SIGKILL)
            return
        time.sleep(0.005)


_HOSTILE = {
    "pyproject.toml": '[tool.uv]\nindex-url = "http://127.0.0.1:9/simple"\noverride-dependencies = ["numpy==1.0"]\n',
    "uv.toml": 'index-url = "http://127.0.0.1:9/simple"\nno-index = true\n',
    **{
        f"{name}.py": "open('{marker}', 'w').write('ran')\n"
        for name in ("numpy", "onnxruntime", "sitecustomize", "usercustomize", "json")
    },
    ".env": "INFEROMETER_CACHE=/nowhere\n",
    "requirements.txt": "no-such-package==1\n",
}


def hostile_folder(trial: Trial, world: World, chance: random.Random, *, built: bool = True) -> None:
    """The working directory is a stranger's repository: nothing in it is run, or changes what is installed."""
    folder = world.folder()
    marker = folder / "ran"
    for name, text in _HOSTILE.items():
        if chance.random() < 0.8:
            (folder / name).write_text(text.replace("{marker}", str(marker)))
    environment = {} if built else {"INFEROMETER_CACHE": str(folder / "cache")}
    words = ["run", world.model, *SHORT, "--out", folder / "run"]
    trial.ended(processes.run(words, cwd=folder, environment=environment), statuses=(0,))
    trial.expect(not marker.exists(), "a file of the working directory was run")
    trial.kept((), folder / "run")
    trial.became = "as anywhere"


def hostile_folder_builds(trial: Trial, world: World, chance: random.Random) -> None:
    """The same, with an environment to build."""
    hostile_folder(trial, world, chance, built=False)


def largest_file(trial: Trial, world: World, chance: random.Random) -> None:
    """No file may grow beyond some bytes, as where a quota is full; what the command prints, which is a file here, may."""
    out, most = world.folder() / "run", int(2 ** chance.uniform(11.5, 15))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    words = ["run", world.model, *SHORT, "--out", out]
    done = trial.ended(processes.run(words, prepare=limit))
    before = records_in(out) if _is_readable(out) else ()
    trial.became = f"status {done.status}, {measured(before)}"
    if done.status:
        trial.one_line(done)
    resumed(trial, world, out, before)


def _is_readable(out: Path) -> bool:
    return (out / "run.json").exists() and bool((out / "run.json").read_bytes())


_FULL = """
mount -t tmpfs -o size=$1 tmpfs "$2" || exit 99
shift; place=$1; kept=$2; shift 2
"$@" --out "$place/run"
status=$?
mount -o remount,size=64m "$place"
cp -r "$place/run" "$kept" 2>/dev/null
exit $status
"""


def full_disk(trial: Trial, world: World, chance: random.Random) -> None:
    """The run lies on a file system of a few pages."""
    if not can_mount():
        trial.became = "not permitted here"
        return
    folder = world.folder()
    (folder / "disk").mkdir()
    size = 4096 * chance.randint(2, 16)
    before = ["unshare", "--mount", "sh", "-c", _FULL, "sh", str(size), folder / "disk", folder / "kept"]
    done = trial.ended(processes.run(["run", world.model, *SHORT], before=before))
    out = folder / "kept"
    found = records_in(out) if _is_readable(out) else ()
    trial.became = f"status {done.status}, {measured(found)}"
    if done.status:
        trial.one_line(done)
    if out.exists() and not (out / "run.json").exists():
        shutil.rmtree(out)
    resumed(trial, world, out, found)


_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; exec "$@"'


def read_only_cache(trial: Trial, world: World, chance: random.Random) -> None:
    """The cache is whole, and cannot be written."""
    if not can_mount():
        trial.became = "not permitted here"
        return
    out = world.folder() / "run"
    before = ["unshare", "--mount", "sh", "-c", _READ_ONLY, "sh", world.cache]
    trial.ended(processes.run(["run", world.model, *SHORT, "--out", out], before=before), statuses=(0,))
    trial.kept((), out)
    trial.became = "as anywhere"


def full_shared_memory(trial: Trial, world: World, chance: random.Random) -> None:
    """`/dev/shm` has no room."""
    if not can_mount():
        trial.became = "not permitted here"
        return
    out = world.folder() / "run"
    full = 'mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full; exec "$@"'
    trial.ended(
        processes.run(
            ["run", world.model, *SHORT, "--out", out], before=["unshare", "--mount", "sh", "-c", full, "sh"]
        ),
        statuses=(0,),
    )
    trial.kept((), out)
    trial.became = "as anywhere"


def can_mount() -> bool:
    tool = shutil.which("unshare")
    return (
        bool(tool)
        and not subprocess.run([tool, "--mount", "true"], capture_output=True, check=False).returncode
    )


def clock_steps(trial: Trial, world: World, chance: random.Random) -> None:
    """The clock on the wall jumps by days, back and forth, with every look at it; durations are of another clock."""
    out = world.folder() / "run"
    steps = [timedelta(seconds=chance.uniform(-(10**6), 10**6)) for _ in range(100)]

    class Stepping(datetime):
        @classmethod
        def now(cls, tz=None):
            steps.append(steps.pop(0))
            return datetime(2026, 1, 1, tzinfo=UTC) + steps[0]

    def call() -> int:
        from inferometer.cli import main
        from inferometer.running import runner

        runner.datetime = Stepping
        main(["run", *map(str, (world.model, *SHORT)), "--out", str(out)])
        return 0

    trial.ended(processes.forked(call), statuses=(0,))
    run = trial.kept((), out)
    for record in run.records if run else ():
        trial.expect(
            record.elapsed_s > 0 and all(loop.elapsed_s > 0 for loop in record.loops),
            "a duration is not above 0",
        )
    trial.became = "as anywhere"
