"""The data set that the user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inferometer.models.datasets import found, preprocessing
from inferometer.models.datasets.npz import members
from inferometer.units import counted


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

    def words(self) -> str:
        """Return what is in it, by names and headers alone; UsageError for what cannot be used."""
        data = self.find()
        if isinstance(data, found.Images):
            classes = f" in {len(set(data.labels)):,} classes"
            return f"{counted(len(data.files), 'image')}{classes} of {self.path}"
        arrays = members(self.path)
        told = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in arrays.items())
        return f"{self.path}, with {told}"
