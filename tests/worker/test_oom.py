"""Memory that ran out, in the words of each framework."""

import numpy as np
import pytest

from inferometer.worker.failures import failure
from inferometer.worker.oom import asked_bytes, is_oom
from inferometer.worker.parity.spread import SpreadError
from inferometer.worker.protocol import Failed

GIB = 2**30

TEXTS = {
    "CUDA out of memory. Tried to allocate 36.75 GiB. GPU 0 has 79 GiB of which 5.04 GiB is free.": 36.75
    * GIB,
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1099511627776 bytes.": 2**40,
    "Out of memory while trying to allocate 1.00TiB.": 2**40,
    "Failed to allocate request for 2.00GiB (2147483648B) on device ordinal 0": 2 * GIB,
    "Failed to allocate memory for requested buffer of size 7516192768": 7 * GIB,
    "BFCArena: Available memory of 123 is smaller than requested bytes of 456": 456,
    "Error Code 2: OutOfMemory (Requested size was 12345 bytes.)": 12345,
    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes. Error code 12": 4
    * GIB,
    "OOM when allocating tensor with shape[65536,16,112,112] and type half on GPU:0": 65536
    * 16
    * 112
    * 112
    * 2,
    "failed to allocate 2.00GiB (2147483648 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY": 2 * GIB,
    "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": None,
    "CUDNN_STATUS_ALLOC_FAILED": None,
    "std::bad_alloc": None,
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_frameworks(text):
    assert is_oom(text)
    assert asked_bytes(text) == TEXTS[text]
    assert failure(RuntimeError(text)).status == "out-of-memory"


def test_other_errors_are_none():
    for text in ("weights are allocated on 2 devices", "shape [8,3] and type float do not match"):
        assert failure(ValueError(text)) == Failed("failed", f"ValueError: {text}", "ValueError")


def test_numpys_own_error_is_of_the_host():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**60, np.uint8)
    told = failure(caught.value)
    assert (told.status, told.asked_bytes, told.of_the_host) == ("out-of-memory", 2**60, True)
    assert told.host_free_bytes > 2**20
    assert failure(MemoryError()).of_the_host
    for error in (RuntimeError("CUDA out of memory"), MemoryError("cudaMalloc: cudaErrorMemoryAllocation")):
        assert not failure(error).of_the_host


def test_a_reference_that_cannot_be_judged_is_not_the_frameworks_exception():
    assert failure(SpreadError("the reference depends on the batch")).status == "unsupported"
