"""Scenarios over fake frameworks: real workers and the real LoadGen, a backend of known time of service."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import msgspec

from fakes import BACKENDS, fake_request, fake_runner
from inferometer.planning import load_request
from inferometer.planning.load_request import LoadRequest, ScenarioPreset
from inferometer.running.load import row
from inferometer.running.load.context import LoadContext
from inferometer.running.load.scenario import ScenarioRun
from inferometer.running.load.stage import run_stage
from inferometer.storage.run_directory import read_run
from steprunner import interpreter


@functools.cache
def loadgen_folder() -> Path:
    """Return where LoadGen's module lies; the calling test is skipped (fails in CI) where it cannot be had."""
    python = interpreter("loadgen", Path(tempfile.mkdtemp()) / "environment.log")
    return next((python.parent.parent / "lib").glob("python*/site-packages"))


def shortened(monkeypatch, min_s, enough_queries):
    """Let fakes be found, and LoadGen's tests be short."""
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    presets = {"quick": ScenarioPreset("a moment", min_s, 4.0, 64, enough_queries, 100)}
    monkeypatch.setattr(load_request, "SCENARIO_PRESETS", presets)
    loadgen_folder()


def load_context(folder, frameworks, load, *, measure=True, meters_tell=None, **kwargs):
    """Return what runs scenarios over fakes, whose rounds are measured."""
    request = msgspec.structs.replace(kwargs.pop("request", None) or fake_request(budget_s=0.2), load=load)
    runner = fake_runner(folder, frameworks, request=request, **kwargs)
    if measure:
        runner.run(read_run(runner.writer.path).missing)
    more = {"meters_tell": meters_tell} if meters_tell else {}
    return LoadContext(
        runner=runner, form=lambda cell: "fake", loadgen=lambda cell: str(loadgen_folder()), **more
    )


def under_load(folder, *frameworks, load=None, **kwargs):
    """Run scenarios over fakes and return the stored run."""
    loadgen_folder()
    context = load_context(folder, frameworks, load or LoadRequest(("single-stream",)), **kwargs)
    path = context.runner.writer.path
    run_stage(context, read_run(path))
    return read_run(path)


def at_one_rate(context, rate):
    """Run the server at one rate (requests/s) instead of searching for the highest, and return the stored run."""

    class AtOneRate(ScenarioRun):
        def _serve(self):
            test = self._tester.test(self._task, "search", rate)
            self._tests.append(test)

    path, usual = context.runner.writer.path, row.ScenarioRun
    row.ScenarioRun = AtOneRate
    try:
        run_stage(context, read_run(path))
    finally:
        row.ScenarioRun = usual
    return read_run(path)
