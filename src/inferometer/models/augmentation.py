"""More distinct photos out of a few: parts of them, mirrored, brighter or darker; the same ones at every call.

Four photos say little of agreement: 4 of 4 is [51 %, 100 %] by Wilson's interval. Sixty-four are [94 %, 100 %].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models import images

_SHARES = (0.45, 0.95)  # of the sides of a photo that a part has
_BRIGHTNESS = (0.6, 1.4)


def parts_of(files: Sequence[Path], height: int, width: int, count: int) -> Any:
    """Return ``count`` photos made of ``files`` in turn, as `images.stack` does: float32 (count, height, width, 3).

    Values are whole numbers from 0 to 255. UsageError (one line) if a file is no image.
    """
    random = np.random.default_rng(0)  # fixed: the reference of equal photos is computed once
    made: list[Any] = []
    for round_start in range(0, count, len(files)):
        for file in files[: count - round_start]:
            share = random.uniform(*_SHARES)
            places = random.uniform(size=2)
            pixels = images.read_part(file, height, width, share, (places[0], places[1]))
            mirrored = pixels[:, ::-1] if random.uniform() < 0.5 else pixels
            made.append(np.clip(np.rint(mirrored * random.uniform(*_BRIGHTNESS)), 0, 255))
    return np.asarray(made, np.float32).reshape(count, height, width, 3)
