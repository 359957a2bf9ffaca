"""One test by MLPerf's LoadGen (github.com/mlcommons/inference, loadgen): it asks, the system under test answers."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Outputs
from inferometer.worker.failures import Unsupported
from inferometer.worker.modes import Mode
from inferometer.worker.protocol import RunScenario, Served
from inferometer.worker.scenarios.queue import BatchQueue, Request
from inferometer.worker.scenarios.responses import bytes_of
from inferometer.worker.scenarios.samples import Samples
from inferometer.worker.scenarios.system import System

QUERIES_FILE = "queries.npz"  # of a server test: `arrived_ns`, and `batches` (begin, end, requests, size)
_QUEUED = "Server"
Check = Callable[[Path, Outputs], "dict[str, Any]"]
_WARM_S = 0.3
_SWITCH_S = (
    50e-6  # a framework that computes in Python would keep LoadGen from sending for 5 ms, for each request
)


def find(folder: str) -> Any:
    """Return LoadGen's module, from ``folder`` where the interpreter has none of its own."""
    if folder and folder not in sys.path:
        sys.path.append(folder)  # behind the framework's packages: it must replace none of them
    try:
        return importlib.import_module("mlperf_loadgen")
    except ImportError as error:
        raise Unsupported(
            f"LoadGen cannot be imported here ({error}): pip install mlcommons-loadgen for this interpreter"
        ) from error


def run_scenario(mode: Mode, samples: Samples, request: RunScenario, check: Check) -> Served:
    """Run one test and return the system's account; LoadGen's own logs lie in the request's folder.

    ``check`` is given that folder and outputs of the kind that were logged, where responses are kept.
    """
    loadgen = find(request.loadgen)
    respond = _Responses(loadgen, keeps=request.keeps_responses)
    system = System(mode, samples, request.sizes, respond)
    _warm(mode, samples, system)
    queue = BatchQueue(min(request.max_batch, system.largest), request.max_wait_s)
    queued = request.settings["scenario"] == _QUEUED
    take = queue.put if queued else system.serve_all
    gc.collect()
    count = min(request.samples or len(samples), len(samples))
    test = _Test(loadgen, request, count, take)
    start_ns = time.monotonic_ns()
    if queued:
        with test.in_a_thread(queue.close):
            log = system.serve_queue(queue)
    else:
        test.run()  # answered within LoadGen's own call: nothing is queued, no thread is woken
    end_ns = time.monotonic_ns()
    if error := system.error or test.error:
        raise error
    if queued:
        _keep(Path(request.folder), queue, log)
    folder = Path(request.folder)
    parity = (
        check(folder, mode.outputs(samples.batch([0], system.largest))) if request.keeps_responses else {}
    )
    return Served(start_ns=start_ns, end_ns=end_ns, parity=parity, **system.facts())


def _warm(mode: Mode, samples: Samples, system: System) -> None:
    """Run batches of the largest size for a moment, so that clocks and caches are as under load."""
    until = time.monotonic() + _WARM_S
    numbers = [number % len(samples) for number in range(system.largest)]
    while time.monotonic() < until:
        mode.outputs(samples.batch(numbers, system.largest))


def _keep(folder: Path, queue: BatchQueue, log: Sequence[int]) -> None:
    np.savez_compressed(
        folder / QUERIES_FILE,
        arrived_ns=np.asarray(queue.arrived_ns, np.int64),
        batches=np.asarray(log, np.int64).reshape(-1, 4),
    )


class _Responses:
    """Tells LoadGen that requests are answered; where responses are kept, also with what."""

    def __init__(self, loadgen: Any, keeps: bool) -> None:
        self._response, self._complete = loadgen.QuerySampleResponse, loadgen.QuerySamplesComplete
        self._keeps = keeps

    def __call__(self, requests: Sequence[Request], outputs: Outputs | None) -> None:
        if not self._keeps or outputs is None:
            response = self._response
            self._complete([response(number, 0, 0) for number, _ in requests])
            return
        rows = [bytes_of(outputs, place) for place in range(len(requests))]
        self._complete(
            [self._response(number, row.ctypes.data, row.nbytes) for (number, _), row in zip(requests, rows)]
        )


class _Test:
    """LoadGen's side of one test."""

    def __init__(
        self, loadgen: Any, request: RunScenario, count: int, take: Callable[[list[Request]], Any]
    ) -> None:
        self._loadgen, self._request, self._count, self._take = loadgen, request, count, take
        self.error: BaseException | None = None

    def run(self) -> None:
        """Run it to its end."""
        loadgen, folder = self._loadgen, Path(self._request.folder)
        folder.mkdir(parents=True, exist_ok=True)
        system = loadgen.ConstructSUT(self._issue, _nothing)
        library = loadgen.ConstructQSL(self._count, self._count, _nothing, _nothing)
        try:
            # a file of that name in the working directory would change the test
            audit = str(folder / "no-audit.config")
            loadgen.StartTestWithLogSettings(
                system, library, self._settings(), self._log_settings(folder), audit
            )
        finally:
            loadgen.DestroyQSL(library)
            loadgen.DestroySUT(system)

    @contextlib.contextmanager
    def in_a_thread(self, ended: Callable[[], None]) -> Any:
        """Run it beside the calling thread, which answers: a framework's thread is the one that loaded it."""

        def run() -> None:
            _wake_precisely()
            try:
                self.run()
            except BaseException as error:
                self.error = error
            finally:
                ended()

        thread = threading.Thread(target=run, name="loadgen")
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        thread.start()
        try:
            yield
        finally:
            thread.join()
            sys.setswitchinterval(usual_s)

    def _issue(self, samples: Any) -> None:
        self._take([(sample.id, sample.index) for sample in samples])

    def _settings(self) -> Any:
        settings = self._loadgen.TestSettings()
        kinds = {"scenario": self._loadgen.TestScenario, "mode": self._loadgen.TestMode}
        for name, value in self._request.settings.items():
            setattr(settings, name, getattr(kinds[name], value) if name in kinds else value)
        return settings

    def _log_settings(self, folder: Path) -> Any:
        output = self._loadgen.LogOutputSettings()
        output.outdir = str(folder)
        output.copy_summary_to_stdout = False
        settings = self._loadgen.LogSettings()
        settings.log_output = output
        settings.enable_trace = False
        return settings


def _nothing(*_: Any) -> None:
    """Flush, load or unload samples: nothing is held back, and all of them are in memory."""


def _wake_precisely() -> None:
    """Let this thread be woken at the time that it sleeps to: Linux adds 50 µs for other threads' comfort (timer slack)."""
    pr_set_timerslack = 29
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(pr_set_timerslack, 1, 0, 0, 0)
