"""What one row is to do in one scenario."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.records import Batching, Cell, ScenarioName


@dataclass(frozen=True)
class Task:
    """One row in one scenario by one policy in one round; the cell's batch size is the policy's largest."""

    cell: Cell
    round: int
    scenario: ScenarioName
    batching: Batching
    bound_s: float | None = None  # of a server

    @property
    def row(self) -> str:
        """Return framework, precision and device, for people."""
        return f"{self.cell.framework} {self.cell.precision} on {self.cell.device}"

    @property
    def words(self) -> str:
        """Return row, scenario, promise and policy, for people."""
        bound = f" within {self.bound_s * 1e3:g} ms" if self.bound_s else ""
        return f"{self.row}, {self.scenario}{bound}, {self.batching.words}"

    @property
    def name(self) -> str:
        """Return it as a folder's name, unique within a run."""
        cell, batching = self.cell, self.batching
        wait = f"-{batching.max_wait_s * 1e3:g}ms" if batching.max_wait_s else ""
        several = f"-{batching.instances}x" if batching.instances > 1 else ""
        row = f"{cell.framework}-{cell.precision}-{cell.device}".replace(":", "_")
        bound = f"-within-{self.bound_s * 1e3:g}ms" if self.bound_s else ""
        return f"{row}-{self.scenario}{bound}-{batching.max_batch}{wait}{several}-r{self.round}"
