"""The data set that the user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inferometer.models.datasets import found, preprocessing


@dataclass(frozen=True)
class DatasetRequest:
    """What the user asked for."""

    path: Path
    labels: Path | None = None  # a line a class, in the model's order
    preprocess: str = ""  # `preprocessing.parsed`

    def find(self) -> found.Images | found.Arrays:
        """Look at it without decoding anything; UsageError for what cannot be used."""
        preprocessing.parsed(self.preprocess)
        return found.find(self.path, self.labels)
