"""The options of accuracy on the user's own data, a part of the table in `options`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

from inferometer.planning import kinds
from inferometer.planning.option import Option


class AccuracyOptions(TypedDict, total=False):
    """Accuracy on your own data."""

    dataset: Annotated[
        str | Path | None,
        Option(
            "--dataset", kinds.path(), "A folder with a folder a class, a CSV (image,label), or an .npz (x, y).",
            ("dataset",),
        ),
    ]  # fmt: skip
    labels: Annotated[
        str | Path | None,
        Option(
            "--labels", kinds.path(), "The model's classes, a line each, in its order.  [default: sorted folder names]",
            ("labels",),
        ),
    ]  # fmt: skip
    preprocess: Annotated[
        str | Mapping[str, Any],
        Option(
            "--preprocess", kinds.preprocessing(),
            "size=224,crop=0.875,resize=bicubic,order=RGB,scale=1/255,mean=A:B:C,std=A:B:C; what is left out is the "
            "model's own.", ("preprocess",), default="",
        ),
    ]  # fmt: skip
