"""The child's side of the line protocol (`protocol.py`): one request in, events and one answer out."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

from inferometer.worker import protocol
from inferometer.worker.failures import failure
from inferometer.worker.protocol import (
    AnswerBatch,
    Call,
    CompareResponses,
    Evaluate,
    Measure,
    Open,
    Phase,
    Rehearse,
    RunScenario,
    Value,
)

if TYPE_CHECKING:
    from inferometer.worker.scenarios.instances_session import InstancesSession
    from inferometer.worker.session import CellSession

    Session = CellSession | InstancesSession

_METHODS = {  # of the session
    Open: "open",
    Measure: "measure",
    Evaluate: "evaluate",
    Rehearse: "rehearse",
    RunScenario: "run_scenario",
    AnswerBatch: "answer_batch",
    CompareResponses: "compare_responses",
}


class Pipe:
    """Requests and answers on two inherited descriptors; stdout and stderr stay free for the framework."""

    def __init__(self, read: int, write: int) -> None:
        os.set_inheritable(read, False)
        os.set_inheritable(write, False)
        self._reader = os.fdopen(read, "r", encoding="utf-8")
        self._write = write

    def receive(self) -> str | None:
        """Return the next request's line, or None when the parent has closed its end or gone."""
        line = self._reader.readline()
        return line if line.endswith("\n") else None

    def send(self, answer: protocol.Answer) -> None:
        """Write one answer as a line."""
        view = memoryview(protocol.encode_answer(answer))
        while view:
            view = view[os.write(self._write, view) :]


def serve(read: int, write: int) -> None:
    """Answer requests until the parent closes its end."""
    pipe = Pipe(read, write)
    worker = _Worker(pipe)
    while (line := pipe.receive()) is not None:
        try:
            worker.answer(protocol.decode_request(line))
        except Exception as error:
            traceback.print_exc()
            pipe.send(failure(error))
    sys.stdout.flush()
    os._exit(0)  # frameworks' exit handlers may hang or crash; every result is already with the parent


class _Worker:
    """Answers requests; the measuring part, which needs numpy, is loaded when first asked for."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._session: Session | None = None

    def answer(self, request: protocol.Request) -> None:
        if isinstance(request, Call):
            module = importlib.import_module(f"inferometer.{request.module}")
            self._pipe.send(Value(module.run(request.request)))
            return
        several = isinstance(request, Open) and request.instances > 1
        session = self._measuring(several)
        self._pipe.send(getattr(session, _METHODS[type(request)])(request))

    def _measuring(self, several: bool) -> Session:
        if self._session is None:
            self._session = self._several() if several else self._one()
        return self._session

    def _one(self) -> CellSession:
        from inferometer.worker.session import CellSession

        return CellSession(self._report)

    def _several(self) -> InstancesSession:
        from inferometer.worker.scenarios.instances_session import InstancesSession

        return InstancesSession(self._report)

    def _report(self, phase: str) -> None:
        self._pipe.send(Phase(phase))
