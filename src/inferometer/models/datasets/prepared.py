"""A data set made ready for a model: what PATH holds, by the preprocessing that was asked or that is the model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models import photo_inputs
from inferometer.models.contract import PreparedModel
from inferometer.models.datasets import arrays, found, preprocessing
from inferometer.models.datasets.request import DatasetRequest
from inferometer.models.datasets.shards import Scores, Shards, of_images
from inferometer.models.step_cache import read_arrays

Own = Callable[[], Mapping[str, Any] | None]  # the model's own preprocessing, where its source knows one


def prepare_dataset(
    request: DatasetRequest, model: PreparedModel, own: Own, folder: Path, progress: Callable[[str], None]
) -> Shards:
    """Write a data set as shards into the new ``folder``; UsageError (one line) for what does not fit the model."""
    folder.mkdir(parents=True, exist_ok=True)
    data, asked = request.find(), request.preprocess
    specs = [dict(spec) for spec in model.info.inputs]
    outputs = [tuple(array.shape[1:]) for array in read_arrays(model.reference)]
    if isinstance(data, found.Arrays):
        wanted = _of_image(specs, asked, own) if asked else None
        interface = arrays.Interface(specs, outputs, model.layout)
        return arrays.shards_of(data, interface, wanted, folder)
    place = arrays.scores_output(outputs, len(data.classes))
    scores = Scores(int(np.prod(outputs[place])), place, len(outputs))
    return of_images(data, _of_image(specs, asked, own), scores, folder, progress)


def _of_image(specs: list[dict[str, Any]], asked: str, own: Own) -> preprocessing.Preprocessing:
    layout = photo_inputs.layout_of(specs) if len(specs) == 1 else ""
    if not layout:
        told = "; ".join(f"{spec['name']} {spec['dtype']} {spec['shape']}" for spec in specs)
        raise UsageError(
            f"a data set of images needs a model with one image input, this one takes {told}; give an .npz (x, y)"
        )
    return preprocessing.settled(asked, own(), specs[0], layout)
