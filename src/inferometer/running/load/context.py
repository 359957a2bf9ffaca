"""What every worker under load shares: the run, where LoadGen lies, and what earlier rounds found."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from inferometer.planning.load_request import LoadRequest
from inferometer.records import Batching, Cell, ScenarioResult
from inferometer.running.load.task import Task
from inferometer.running.runner import Runner
from inferometer.storage.scenarios import append_scenario

_RateKey = tuple[str, str, str, Batching, float | None]  # framework, precision, device; bound


@dataclass(frozen=True, kw_only=True)
class LoadContext:
    """How scenarios of a run are run; ``runner``'s monitors see each test as they see a cell."""

    runner: Runner
    form: Callable[[Cell], str]  # in which a row takes the model
    loadgen: Callable[[Cell], str]  # folder that LoadGen's module may be imported from
    meters_tell: Callable[[str], bool] = lambda device: (
        False
    )  # whether they tell the energy of work on a device
    _rates: dict[_RateKey, float] = field(default_factory=dict)  # found in earlier rounds

    @property
    def load(self) -> LoadRequest:
        """Return what is asked for."""
        return self.runner.request.load

    @functools.cached_property
    def distinct(self) -> int:
        """Return how many different inputs there are."""
        import numpy as np

        with np.load(self.runner.model.inputs, allow_pickle=False) as file:
            return len(file[file.files[0]])

    def store(self, result: ScenarioResult) -> None:
        """Keep a result, before anything else happens."""
        append_scenario(self.runner.writer.path, result)
        self.note_rate(result)

    def known_rate(self, task: Task) -> float | None:
        """Return the rate that an earlier round found."""
        return self._rates.get(_rate_key(task.cell, task.batching, task.bound_s))

    def note_rate(self, result: ScenarioResult) -> None:
        """Remember the rate that a round found, if it did."""
        if result.scenario == "server" and result.result and result.result.target_rate:
            self._rates[_rate_key(result.cell, result.batching, result.bound_s)] = result.result.target_rate


def _rate_key(cell: Cell, batching: Batching, bound_s: float | None) -> _RateKey:
    return cell.framework, cell.precision, cell.device, batching, bound_s
