"""Steps in their real environments, many inputs a process: a `models.contract.StepRunner` that says how a step ended."""

from __future__ import annotations

from pathlib import Path

from inferometer.errors import ModelError
from inferometer.host.processes import end_in_words
from inferometer.running.messages import read_answer
from inferometer.running.processes.child import Child, child_environment
from inferometer.worker.protocol import Call, Failed, Value
from steprunner import interpreter

MOST_S = 60.0
MOST_BYTES = 6 << 30  # of the whole process, with its framework
_INPUTS_A_PROCESS = 400
_MEANT = ("ValueError", "CodeError", "CannotConvertError")  # what steps raise with a line for the user


class SharedSteps:
    """Runs steps and remembers how the last one ended: "" for an answer or a line of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, Child] = {}
        self._calls: dict[str, int] = {}
        self.ended = ""

    def __call__(self, environment: str, module: str, request):
        child = self._child(environment)
        self.ended = ""
        child.send(Call(module, request))
        try:
            message = child.receive(MOST_S)
        except TimeoutError as error:
            self._drop(environment)
            self.ended = "hang"
            raise ModelError(f"{module}: no answer within {MOST_S:g} s") from error
        if message is None:
            status = child.wait()
            words = child.last_words(6)
            self._drop(environment)
            self.ended = "reader died"
            raise ModelError(
                f"step {module} {end_in_words(status) if status is not None else 'stayed'}; last words: {words}"
            )
        return self._value(read_answer(message, Value))

    def _value(self, answer):
        if isinstance(answer, Value):
            return answer.value
        assert isinstance(answer, Failed)
        if answer.kind not in _MEANT and answer.status != "out-of-memory":
            self.ended = "unclear"
        raise ModelError(answer.cause)

    def _child(self, environment: str) -> Child:
        self._calls[environment] = self._calls.get(environment, 0) + 1
        if self._calls[environment] % _INPUTS_A_PROCESS == 0:
            self._drop(environment)
        if environment not in self._children:
            log = self._folder / f"{environment}.log"
            child = Child(interpreter(environment, log), child_environment({}), log)
            child.limit_memory(MOST_BYTES)
            self._children[environment] = child
        return self._children[environment]

    def _drop(self, environment: str) -> None:
        child = self._children.pop(environment, None)
        if child:
            child.kill()
            child.close()

    def close(self) -> None:
        """End all processes."""
        for environment in list(self._children):
            self._drop(environment)
