"""Bits turn in what is stored: run directories, models, inputs, environments."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from trial import Trial, measured, records_in
from world import SHORT, World, rewritten

import processes
from inferometer.storage.run_directory import read_run
from kinds.parent import resumed


def run_directory(trial: Trial, world: World, chance: random.Random) -> None:
    """A byte of any file of a run is another: it is read, or refused in a line and repaired, and every sound record is kept."""
    path = world.copied_run()
    file = chance.choice(
        [found for found in sorted(path.rglob("*")) if found.is_file() and found.stat().st_size]
    )
    damage(file, chance)
    trial.became = f"{file.name}: "
    sound = _sound_records(world, path)
    done = trial.ended(processes.command("show", path))
    if (
        done.status == 0
    ):  # the byte still means something: what it names may be another cell, which resuming would measure
        trial.became += "read"
        trial.kept(sound, path, whole=False)
        return
    trial.one_line(done)
    done = trial.ended(processes.command("repair", path), statuses=(0,))
    trial.ended(processes.command("show", path), statuses=(0,))
    run = trial.kept(sound, path, whole=False)
    trial.became += "repaired"
    if run and run.missing and run.info.request and chance.random() < 0.3:
        resumed(trial, world, path, run.records)
        trial.became += " and resumed"


def _sound_records(world: World, path: Path):
    """Return the records whose lines are as they were."""
    lines = set((path / "cells.jsonl").read_bytes().split(b"\n"))
    whole = (world.whole / "cells.jsonl").read_bytes().split(b"\n")
    records = read_run(world.whole).records
    return [record for record, line in zip(records, whole, strict=False) if line in lines]


def torn(trial: Trial, world: World, chance: random.Random) -> None:
    """The last record is half there, as a power cut leaves it."""
    path = world.copied_run()
    cells = path / "cells.jsonl"
    data = cells.read_bytes()
    cells.write_bytes(data[: chance.randrange(len(data))])
    before = records_in(path)
    trial.became = measured(before)
    resumed(trial, world, path, before)


def damage(file: Path, chance: random.Random, *, silently: bool = False) -> None:
    """Turn a bit, or some bytes, of a file."""
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    if bytes(data) == file.read_bytes():
        data[0] ^= 1
    rewritten(file, bytes(data), silently=silently)


def cached_model(trial: Trial, world: World, chance: random.Random) -> None:
    """A bit of a cached artifact turned: it is made anew and said, and nothing is called wrong that is right."""
    cache = world.copied_cache()
    file = _one(chance, cache / "models", "*")
    damage(file, chance)
    _as_anywhere(trial, world, cache, said="damaged")
    trial.became = f"{file.name} made anew"


def cached_inputs(trial: Trial, world: World, chance: random.Random) -> None:
    """So it is with the rows that workers are fed, and the answers they are held against."""
    cache = world.copied_cache()
    file = _one(chance, cache / "models", chance.choice(("inputs.npz", "reference.npz")))
    damage(file, chance)
    _as_anywhere(trial, world, cache, said="damaged")
    trial.became = f"{file.name} made anew"


def silent_rot(trial: Trial, world: World, chance: random.Random) -> None:
    """A bit turns and no time stamp tells: `cache verify` finds it."""
    cache = world.copied_cache()
    where = chance.choice(("models/*/*", "environments/*/lib/python*/site-packages/numpy/*.py"))
    file = chance.choice(
        [found for found in sorted(cache.glob(where)) if found.is_file() and found.stat().st_size]
    )
    damage(file, chance, silently=True)
    done = trial.ended(
        processes.command("cache", "verify", environment={"INFEROMETER_CACHE": str(cache)}), statuses=(1,)
    )
    trial.expect("1 damaged" in done.out, f"not found: {file.relative_to(cache)}: {done.out[-300:]}")
    trial.became = "found by cache verify"
    if "models" in where:
        _as_anywhere(trial, world, cache)


def environment_entry(trial: Trial, world: World, chance: random.Random) -> None:
    """What tells of an environment is damaged, or a package's record is gone: it is built anew."""
    cache = world.copied_cache()
    (environment,) = (path for path in (cache / "environments").iterdir() if path.is_dir())
    if chance.random() < 0.5:
        damage(environment / "inferometer.json", chance)
        trial.became = "its entry"
    else:
        shutil.rmtree(chance.choice(sorted(environment.glob("lib/python*/site-packages/*.dist-info"))))
        trial.became = "a package"
    _as_anywhere(trial, world, cache)


def _one(chance: random.Random, root: Path, pattern: str) -> Path:
    return chance.choice(
        [path for path in sorted(root.glob(f"*/{pattern}")) if path.is_file() and path.stat().st_size]
    )


def _as_anywhere(trial: Trial, world: World, cache: Path, said: str = "") -> None:
    out = world.folder() / "run"
    words = ["run", world.model, *SHORT, "--out", out]
    done = trial.ended(
        processes.command(*words, environment={"INFEROMETER_CACHE": str(cache)}), statuses=(0,)
    )
    run = trial.kept((), out)
    statuses = {record.status for record in run.records} if run else set()
    trial.expect(
        statuses == {"ok"}, f"cells are {statuses}: {[record.cause for record in run.records] if run else ''}"
    )
    trial.expect(said in done.err, f"nothing was said of the damage: {done.err[-300:]}")
