"""One test by MLPerf's LoadGen (github.com/mlcommons/inference, loadgen): it asks, the system under test answers."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inferometer.worker.backend import Outputs
from inferometer.worker.failures import Unsupported
from inferometer.worker.protocol import RunScenario, Served
from inferometer.worker.scenarios.queue import BatchQueue, Request, SharedOut
from inferometer.worker.scenarios.responses import rows_of
from inferometer.worker.scenarios.system import Infer, Queue, System, account
from inferometer.worker.system.contention import CpuAccounting

QUERIES_FILE = "queries.npz"  # of a server test: `arrived_ns`, and `batches` (begin, end, requests, size)
_QUEUED = "Server"
Check = Callable[[Path], "dict[str, Any]"]
Result = TypeVar("Result")
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


def run_scenario(
    infers: Sequence[Infer], samples: int, request: RunScenario, check: Check, children: Sequence[int] = ()
) -> Served:
    """Run one test and return the system's account; LoadGen's own logs lie in the request's folder.

    Each of ``infers`` answers batches by itself, the first in the calling thread; ``samples`` may be asked for. ``check`` is given
    the folder, where responses are kept. ``children``: processes that answer.
    """
    loadgen = find(request.loadgen)
    respond = _Responses(loadgen, keeps=request.keeps_responses)
    systems = [System(infer, request.sizes, respond) for infer in infers]
    until_s = time.monotonic() + _WARM_S
    _at_once(systems, lambda system: system.warm(samples, until_s))
    queued = request.settings["scenario"] == _QUEUED
    queue = _queue(request, systems, queued)
    gc.collect()
    direct = len(systems) == 1 and not queued  # answered within LoadGen's own call: no thread is woken
    take = systems[0].serve_all if direct else queue.put
    test = _Test(loadgen, request, min(request.samples or samples, samples), take)
    accounts = CpuAccounting(children=children)
    before, start_ns = accounts.now(), time.monotonic_ns()
    logs: list[array[int]] = []
    if direct:
        test.run()
    else:
        with test.in_a_thread(queue.close):
            logs = _at_once(systems, lambda system: system.serve_queue(queue))
    end_ns, contention = time.monotonic_ns(), accounts.since(before)
    for error in (*(system.error for system in systems), test.error):
        if error:
            raise error
    if isinstance(queue, BatchQueue):
        _keep(Path(request.folder), queue, logs)
    parity = check(Path(request.folder)) if request.keeps_responses else {}
    flags = contention.flags() if contention else []
    return Served(start_ns=start_ns, end_ns=end_ns, parity=parity, flags=flags, **account(systems))


def _queue(request: RunScenario, systems: Sequence[System], queued: bool) -> Queue:
    most = min(request.max_batch, systems[0].largest)
    return BatchQueue(most, request.max_wait_s) if queued else SharedOut(most, len(systems))


def _at_once(systems: Sequence[System], does: Callable[[System], Result]) -> list[Result]:
    """Let each system do it in a thread, the first in this one: a framework's thread is the one that loaded it."""
    with ThreadPoolExecutor(len(systems)) as pool:
        others = [pool.submit(does, system) for system in systems[1:]]
        return [does(systems[0]), *(other.result() for other in others)]


def _keep(folder: Path, queue: BatchQueue, logs: Sequence[array[int]]) -> None:
    """Keep arrivals and batches, in the order in which these began; of several instances also which took each."""
    tables = [np.asarray(log, np.int64).reshape(-1, 4) for log in logs]
    batches, instance = np.concatenate(tables), np.repeat(np.arange(len(tables)), [*map(len, tables)])
    order = np.argsort(batches[:, 0], kind="stable")
    several: dict[str, Any] = {"instance": instance[order]} if len(tables) > 1 else {}
    np.savez_compressed(
        folder / QUERIES_FILE,
        arrived_ns=np.asarray(queue.arrived_ns, np.int64),
        batches=batches[order],
        **several,
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
        rows = rows_of(outputs, len(requests))
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
