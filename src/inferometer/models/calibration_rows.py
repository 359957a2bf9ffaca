"""The user's own rows for quantising (`--calibration`), in the order and names of the source's inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import images, photo_inputs
from inferometer.models.artifact_cache import hash_file
from inferometer.models.step_cache import StepCache
from inferometer.models.steps import tensors


def given(path: Path | None, specs: list[dict[str, Any]], steps: StepCache) -> Path | None:
    """Return an .npz of the rows in a file or folder (as `--input`) or of the photos in a folder; None where there are none.

    UsageError (one line) for what cannot be read or does not fit the model.
    """
    if path is None:
        return None
    if (path.is_dir() and not _holds_rows(path)) or path.suffix.lower() in images.SUFFIXES:
        return photo_inputs.as_input(steps, (path,), specs)[0]

    def make(folder: Path) -> dict[str, Any]:
        try:
            rows = tensors.read_npz(str(path), specs)
        except ValueError as error:
            raise UsageError(f"--calibration: {error}") from error
        tensors.write_npz(str(folder / "rows.npz"), rows)
        return {}

    parts = {"step": "calibration", "file": hash_file(path), "inputs": specs}
    return steps.cache.get(parts, make)[0] / "rows.npz"


def _holds_rows(folder: Path) -> bool:
    return any(item.suffix.lower() in (".npy", ".npz") for item in folder.iterdir())
