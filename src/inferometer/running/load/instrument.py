"""LoadGen's own environment: its module lies beside a framework's packages and replaces none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inferometer.errors import EnvironmentBuildError, UsageError
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.installed import site_packages
from inferometer.planning.plan import Plan, PlanRow
from inferometer.planning.request import RunRequest
from inferometer.records import Cell
from inferometer.running.ready_environments import ReadyEnvironments

NAME, MODULE = requirements.LOADGEN, "mlperf_loadgen"


class LoadgenFolders:
    """Finds or builds LoadGen for every row, before anything is measured."""

    def __init__(
        self, plan: Plan, ready: ReadyEnvironments, logs: Path, progress: Callable[[str], None]
    ) -> None:
        self._ready, self._logs, self._progress = ready, logs, progress
        self._built: dict[str, Path] = {}
        self._folders = {key: self._find(key, row) for key, row in plan.rows.items() if key in ready.rows}

    @classmethod
    def for_run(
        cls,
        request: RunRequest,
        plan: Plan,
        ready: ReadyEnvironments,
        logs: Path,
        progress: Callable[[str], None],
    ) -> LoadgenFolders | None:
        """Return the folders of a run, None where no scenarios are asked for; InferometerError where it cannot be had."""
        return cls(plan, ready, logs, progress) if request.load.scenarios else None

    def folder_for(self, cell: Cell) -> str:
        """Return the folder to import LoadGen from, "" where the row's interpreter has it."""
        return self._folders[cell.framework, cell.device]

    def _find(self, key: tuple[str, str], row: PlanRow) -> str:
        """Return a row's folder; UsageError for an interpreter of the user's without LoadGen."""
        if row.requirements is not None:
            return str(self._build(row.requirements.python))
        if self._ready.lacks(key, MODULE):
            pins = " ".join(requirements.read(NAME, "cpu").lines)
            raise UsageError(
                f"--python {row.label}={row.python} has no module {MODULE}, which --scenarios needs: "
                f"install {pins} there, or leave --scenarios out"
            )
        return ""

    def _build(self, python: str) -> Path:
        if python not in self._built:
            wanted = requirements.loadgen(python)
            environment = environments.ensure(wanted, self._logs / f"environment-{NAME}.log", self._progress)
            self._built[python] = _packages(environment.python.parent.parent)
        return self._built[python]


def _packages(environment: Path) -> Path:
    found = site_packages(environment)
    if found is None:
        raise EnvironmentBuildError(
            f"environment {environment.name} has no packages; run: inferometer env remove {environment.name}"
        )
    return found
