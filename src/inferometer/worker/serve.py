"""The child's side of the line protocol: one request in, events and one answer out.

Requests are JSON objects with an `op`:
    call      run `inferometer.<module>.run(request)` -> {"event": "result", "value": ...}
    open      load a framework and an artifact        -> {"event": "opened", ...}
    measure   one cell                                -> {"event": "phase", ...}*, {"event": "result", ...}
A request that fails answers {"event": "failed", "status": ..., "cause": ...}; the child lives on.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from inferometer.worker.failures import failure

if TYPE_CHECKING:
    from inferometer.worker.session import Session


class Channel:
    """Requests and answers on two inherited descriptors; stdout and stderr stay free for the framework."""

    def __init__(self, read: int, write: int) -> None:
        os.set_inheritable(read, False)
        os.set_inheritable(write, False)
        self._reader = os.fdopen(read, "r", encoding="utf-8")
        self._write = write

    def receive(self) -> dict[str, Any] | None:
        """Return the next request, or None when the parent has closed its end or gone."""
        line = self._reader.readline()
        if not line.endswith("\n"):
            return None
        request: dict[str, Any] = json.loads(line)
        return request

    def send(self, event: str, **fields: Any) -> None:
        """Write one event as a line."""
        data = json.dumps({"event": event, **fields}).encode() + b"\n"
        view = memoryview(data)
        while view:
            view = view[os.write(self._write, view) :]


def serve(read: int, write: int) -> None:
    """Answer requests until the parent closes its end."""
    channel = Channel(read, write)
    worker = _Worker(channel)
    while (request := channel.receive()) is not None:
        try:
            worker.answer(request)
        except Exception as error:
            traceback.print_exc()
            channel.send("failed", **failure(error))
    sys.stdout.flush()
    os._exit(0)  # frameworks' exit handlers may hang or crash; every result is already with the parent


class _Worker:
    """Answers requests; the measuring part, which needs numpy, is loaded when first asked for."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._session: Session | None = None

    def answer(self, request: dict[str, Any]) -> None:
        operation = request["op"]
        if operation == "call":
            module = importlib.import_module(f"inferometer.{request['module']}")
            self._channel.send("result", value=module.run(request["request"]))
        elif operation == "open":
            self._channel.send("opened", **self._measuring().open(request))
        elif operation == "measure":
            self._channel.send("result", **self._measuring().measure(request))
        else:
            raise ValueError(f"unknown request {operation!r}")

    def _measuring(self) -> Session:
        if self._session is None:
            from inferometer.worker.session import Session

            self._session = Session(lambda name: self._channel.send("phase", phase=name))
        return self._session
