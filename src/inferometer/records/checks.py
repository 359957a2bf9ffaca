"""What a cell's outputs were compared with, and what the framework says that it did."""

from __future__ import annotations

from typing import Any

import msgspec


class Parity(msgspec.Struct, frozen=True, gc=False):
    """How far the outputs of this very cell are from the reference (Keras/TF fp32 on CPU, or as `reference` says)."""

    passed: bool
    max_abs: float | None  # None: not comparable (NaN, infinity, another shape)
    max_rel: float | None  # largest absolute error over the largest absolute reference value
    cosine: float  # smallest cosine similarity of any image's outputs
    top1: (
        float  # share of images whose arg-max agrees; 1.0 where outputs are not class scores (see `agree_k`)
    )
    limit_rel: float
    images: int
    reference: str = ""
    cause: str = ""
    # of later versions; absent in old runs
    worst_slice: str = ""  # the slice nearest to its limit, or furthest beyond: "output 0[:, 37]"
    slice_rel: float | None = None  # its rms error over the spread of its values between inputs
    slice_limit: float | None = None
    agree_k: int | None = None  # of `agree_n` distinct inputs, those with the reference's top class
    agree_n: int | None = None
    agreement: str = ""  # why there is none: outputs that are no class scores
    tolerance: float | None = None  # the relative error that the user allowed instead of the limits
    unseen: int = 0  # of `images`, rows run after the loops that no batch before had held
    timed: int = 0  # batches of the timed loops whose outputs were kept and compared


class Actual(msgspec.Struct, frozen=True, gc=False):
    """What the framework itself says it did, as read back after the cell was prepared."""

    device: str = ""
    device_uuid: str = ""
    precision: str = ""
    threads: int = 0
    version: str = ""
    versions: dict[str, str] = {}
    details: dict[
        str, Any
    ] = {}  # e.g. provider per node count, XLA flags, layout; shown, never computed with


class Memory(msgspec.Struct, frozen=True, gc=False):
    """Peaks of a fresh process that served this and smaller batch sizes."""

    rss_peak_bytes: int | None = None
    device_peak_bytes: int | None = None  # by the framework's allocator
    device_used_bytes: int | None = None  # by the driver, this process
    asked_bytes: int | None = None  # of what was not to be had (out-of-memory), as far as the framework says
    free_bytes: int | None = None  # then: on the GPU by its driver, on the host by its kernel
