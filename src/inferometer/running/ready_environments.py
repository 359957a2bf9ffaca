"""Environments for the rows of a plan and for conversions: built once, in order, or the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer import units
from inferometer.errors import EnvironmentBuildError, ModelError, ProtocolError, UsageError
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.environments import Environment
from inferometer.host.processes import end_in_words
from inferometer.planning.plan import Plan, PlanRow
from inferometer.planning.request import RunRequest
from inferometer.running.messages import read_answer
from inferometer.running.processes.child import Child
from inferometer.running.processes.launch import launch_worker
from inferometer.worker.protocol import Call, Failed, Phase, Value
from inferometer.worker.system.memory import free_bytes

_STEP_TIMES = 6  # --timeout is of a cell; a step may convert a network or fetch its weights
_LEAST_BYTES = 2 * 2**30  # that a step may take, however little memory is free


class ReadyEnvironments:
    """Knows the environment of every row and conversion, and runs steps in them."""

    def __init__(self, request: RunRequest, plan: Plan, logs: Path, progress: Callable[[str], None]) -> None:
        self._request = request
        self._plan = plan
        self._logs = logs
        self._progress = progress
        self._conversions: dict[str, Environment] = {}
        self.rows: dict[tuple[str, str], Environment] = {}
        self.failures: dict[tuple[str, str], str] = {}  # row -> why it has no environment

    def build_rows(self) -> None:
        """Build or check the environment of every row; a row that fails keeps its reason, the others go on."""
        for key, row in self._plan.rows.items():
            if key in self.rows or key in self.failures:
                continue
            try:
                self.rows[key] = self._row_environment(row)
            except EnvironmentBuildError as error:
                self.failures[key] = str(error)

    def follow(self, plan: Plan) -> None:
        """Take another plan's rows in place of those so far, and build those that are new."""
        self._plan = plan
        self.build_rows()

    def take_built(self) -> None:
        """Take the environments of rows that are built already, and build none."""
        for key, row in self._plan.rows.items():
            if row.requirements and environments.is_built(row.requirements):
                self.rows[key] = self._row_environment(row)

    def check_given(self) -> None:
        """Take the interpreters that were given for rows; UsageError for one without its framework."""
        for key, row in self._plan.rows.items():
            if row.requirements is None:
                self.rows[key] = self._given(row)

    def has(self, name: str) -> bool:
        """Return whether steps can run in the named environment without building it."""
        return (
            name in self._conversions
            or name in self._request.python
            or self._row_of(name) is not None
            or environments.is_built(requirements.read(name, "cpu"))
        )

    def _row_environment(self, row: PlanRow) -> Environment:
        if row.requirements is None:
            return self._given(row)
        return environments.ensure(row.requirements, self._log(row.requirements.name), self._progress)

    def _given(self, row: PlanRow) -> Environment:
        """Return the user's interpreter for a row; UsageError if it lacks the framework."""
        framework = row.choice.framework
        assert row.python is not None
        environment = Environment(row.choice.environment, row.python, given=True)
        try:
            found = self._call(environment, "worker.probe", {"modules": ["numpy", framework.module]})
        except ModelError as error:
            cause = str(error).partition(" (log: ")[0]  # the log goes with the run that does not begin
            raise UsageError(f"--python {row.label}={row.python} cannot be used: {cause}") from error
        if found["missing"]:
            packages = {framework.module: framework.distribution}
            wanted = " and ".join(packages.get(name, name) for name in found["missing"])
            raise UsageError(
                f"--python {row.label}={row.python} has no module {' and no module '.join(found['missing'])}; "
                f"install {wanted} there, or leave the option out"
            )
        return environment

    def lacks(self, key: tuple[str, str], module: str) -> bool:
        """Return whether a row's interpreter has no such module."""
        return bool(self._call(self.rows[key], "worker.probe", {"modules": [module]})["missing"])

    def run_step(self, environment: str, module: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run a conversion step in the named environment (`models.contract.StepRunner`)."""
        return self._call(self._conversion_environment(environment), module, request)

    def _conversion_environment(self, name: str) -> Environment:
        if name not in self._conversions:
            self._conversions[name] = self._find_conversion_environment(name)
        return self._conversions[name]

    def _find_conversion_environment(self, name: str) -> Environment:
        if row := self._row_of(name):
            return row
        given = self._request.python.get(name)
        if given:
            return Environment(name, given, given=True)
        return environments.ensure(requirements.read(name, "cpu"), self._log(name), self._progress)

    def _row_of(self, name: str) -> Environment | None:
        """Return the environment of a row that is the named one, in the version that is pinned."""
        rows = (key for key, row in self._plan.rows.items() if _is_of(row, name) and key in self.rows)
        return next((self.rows[key] for key in rows), None)

    def _call(self, environment: Environment, module: str, request: dict[str, Any]) -> dict[str, Any]:
        log = self._logs / f"{module.rpartition('.')[2]}.log"
        launch = launch_worker(environment, gpu=None, threads=self._request.protocol.threads, fetches=True)
        try:
            child = Child(launch.python, launch.environment, log)
        except OSError as error:
            raise ModelError(
                f"cannot start {launch.python}: {error.strerror}; {_remedy(environment)}"
            ) from error
        timeout_s = _STEP_TIMES * self._request.protocol.timeout_s
        most_bytes = max(free_bytes(), _LEAST_BYTES)
        with child:
            child.limit_memory(most_bytes)  # what it reads may be anybody's
            child.send(Call(module, request))
            try:
                message = child.receive(timeout_s)
                answer = message if message is None else read_answer(message, Value)
            except (TimeoutError, ProtocolError) as error:
                child.kill()
                reason = str(error) or f"no answer within {timeout_s:g} s ({_STEP_TIMES} times --timeout)"
                raise ModelError(f"step {module} in environment '{environment.name}': {reason}") from error
            return _value(answer, child, f"step {module} in environment '{environment.name}'", most_bytes)

    def _log(self, name: str) -> Path:
        return self._logs / f"environment-{name}.log"


def _is_of(row: PlanRow, name: str) -> bool:
    return row.choice.environment == name and not row.choice.version


def _remedy(environment: Environment) -> str:
    if environment.given:
        return "give another --python, or leave it out"
    return f"rebuild it: inferometer env remove {environment.python.parent.parent.name}, then run again"


def _value(answer: Value | Phase | Failed | None, child: Child, step: str, most_bytes: int) -> dict[str, Any]:
    if isinstance(answer, Value):
        return answer.value
    if isinstance(answer, Failed) and answer.status == "out-of-memory":
        raise ModelError(f"{answer.cause} (a step may take {units.size(most_bytes)}, which was free)")
    if isinstance(answer, Failed):
        raise ModelError(answer.cause)
    status = child.wait()
    end = "closed its answers and did not leave" if status is None else end_in_words(status)
    words = child.last_words()
    raise ModelError(f"{step} {end}" + (f"; last words: {words} (log: {child.log})" if words else ""))
