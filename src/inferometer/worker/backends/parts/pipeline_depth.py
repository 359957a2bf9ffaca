"""How many batches a pipeline keeps in flight."""

from __future__ import annotations

from inferometer.worker.backend import Batch

LEAST = 3  # one filled, one on its way, one computed on
MOST = 8  # a host stalled for 50 ms about once a second, in which its GPU did six batches
_ROOM_BYTES = 1 << 30  # of page-locked memory, and again of the device's


def pipeline_depth(batch: Batch) -> int:
    """Return how many batches like this one are in flight: as many as 1 GiB holds, but `LEAST` at least, `MOST` at most."""
    size_bytes = sum(array.nbytes for array in batch)
    return max(LEAST, min(MOST, _ROOM_BYTES // max(1, size_bytes)))
