"""Named protocols: which sizes, how many images, loops, warm-ups and rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.records import Protocol

_LEAST_S = 0.1  # below it a few calls decide, and the kernel's accounts tell nothing
STUDY_BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Preset:
    """A protocol and the batch sizes that go with it."""

    title: str
    batch_sizes: tuple[int, ...]
    protocol: Protocol


PRESETS: Mapping[str, Preset] = {
    "quick": Preset(
        "minutes on two CPU cores: two sizes, slow cells cut at a budget of 1 s",
        (1, 8),
        Protocol(
            images=8,
            loops=5,
            warmup=4,
            rounds=3,
            timeout_s=300,
            budget_s=1.0,
            least_loops=1,
            time_limit_s=240,
            least_s=_LEAST_S,
        ),
    ),
    "standard": Preset(
        "the default: four sizes, cells cut at a budget of 30 s, more rounds where the machine is noisy",
        (1, 8, 32, 64),
        Protocol(
            images=512,
            loops=10,
            warmup=50,
            rounds=3,
            most_rounds=20,
            timeout_s=900,
            budget_s=30.0,
            least_s=_LEAST_S,
        ),
    ),
    "study": Preset(
        "the study's protocol: 7 sizes, 512 images, 50 warm-ups, 10 loops, nothing cut",
        STUDY_BATCH_SIZES,
        Protocol(images=512, loops=10, warmup=50, rounds=1, timeout_s=3600, least_s=_LEAST_S),
    ),
}
