"""The user's own rows for quantising (`--calibration`), in the order and names of the source's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models import images, photo_inputs
from inferometer.models.artifact_cache import hash_file
from inferometer.models.datasets import decoding, preprocessing
from inferometer.models.step_cache import StepCache
from inferometer.models.steps import tensors
from inferometer.worker.evaluation import normalised
from inferometer.worker.protocol import Evaluate

Own = Callable[[], Mapping[str, Any] | None]  # the model's own preprocessing, where its source knows one


def given(
    path: Path | None,
    specs: list[dict[str, Any]],
    steps: StepCache,
    asked: str | None = None,
    own: Own = lambda: None,
) -> Path | None:
    """Return an .npz of the rows in a file or folder (as `--input`) or of the photos in a folder; None where there are none.

    ``asked``: how images of the data set become inputs (`--preprocess`), and so photos do; None: there are none, and each photo is
    standardised. UsageError (one line) for what cannot be read or does not fit the model.
    """
    if path is None:
        return None
    if (path.is_dir() and not _holds_rows(path)) or path.suffix.lower() in images.SUFFIXES:
        if asked is None:
            return photo_inputs.as_input(steps, (path,), specs)[0]
        files = images.find((path,))
        layout = photo_inputs.check(files, specs)
        wanted = preprocessing.settled(asked, own(), specs[0], layout)
        return _as_the_data_set(files, specs[0], layout, wanted, steps)

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


def _as_the_data_set(
    files: tuple[Path, ...],
    spec: dict[str, Any],
    layout: str,
    wanted: preprocessing.Preprocessing,
    steps: StepCache,
) -> Path:
    """Return an .npz of photos as workers make inputs of a data set's images."""

    def make(folder: Path) -> dict[str, Any]:
        pixels = np.stack([decoding.pixels(file, wanted) for file in files])
        how = Evaluate(
            len(files),
            [],
            layout="NHWC",
            dtype=str(spec["dtype"]),
            affine=wanted.affine,
            output=0,
            targets="",
        )
        rows = normalised(pixels, how)
        turned = rows.transpose(0, 3, 1, 2) if layout == "NCHW" else rows
        tensors.write_npz(str(folder / "rows.npz"), {spec["name"]: np.ascontiguousarray(turned)})
        return {}

    parts = {
        "step": "calibration photos",
        "files": [hash_file(file) for file in files],
        "input": spec,
        "preprocessing": wanted.facts,
    }
    return steps.cache.get(parts, make)[0] / "rows.npz"
