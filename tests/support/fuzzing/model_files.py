"""Changed copies of whole models, read as a run reads them: named, inspected, and the small ones prepared."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from fuzzing.outcome import Outcome, outcome_of
from fuzzing.shared_steps import SharedSteps
from inferometer.models import sources
from inferometer.models.contract import ModelRequest
from inferometer.models.prepare import step_cache


class ModelFiles:
    """Reads changed copies of small whole models; ``whole``: path -> how a request names it."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marker = folder / "ran"  # what a model's own code would touch
        self._steps = SharedSteps(folder)
        (folder / "whole").mkdir()
        self.whole = self._written(folder / "whole")

    def _written(self, folder: Path) -> dict[Path, dict]:
        raise NotImplementedError

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        raise NotImplementedError

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        shutil.rmtree(self._folder / "cache", ignore_errors=True)
        whole = chance.choice(list(self.whole))
        changed = self._copied(chance, whole)
        outcome = outcome_of(lambda: self._read(ModelRequest(str(changed), **self.whole[whole])))
        if marks := list(self._folder.glob(f"{self._marker.name}*")):
            for mark in marks:
                shutil.rmtree(mark) if mark.is_dir() else mark.unlink()
            return Outcome("code ran", f"{whole.name} by seed {seed}")
        return (
            Outcome(self._steps.ended, outcome.told)
            if outcome.kind == "refused" and self._steps.ended
            else outcome
        )

    def _copied(self, chance: random.Random, whole: Path) -> Path:
        file = self._folder / f"changed{whole.suffix}"
        file.write_bytes(self._changed(chance, whole))
        return file

    def _read(self, request: ModelRequest) -> None:
        self._steps.ended = ""
        source = sources.resolve(request)
        steps = step_cache(source, self._steps, self._folder / "cache", lambda text: None)
        found = sources.inspect(request, source, steps)
        if found["macs"] is not None and found["macs"] < 10_000_000:
            sources.make(request, source, steps)

    def close(self) -> None:
        """End the processes that read."""
        self._steps.close()
