"""Memory that could not be had, in the words of frameworks: whether an error means that, and how much was asked for."""

from __future__ import annotations

import re

_WORDS = (
    "out of memory",
    "oom when allocating",
    "out_of_memory",
    "outofmemory",
    "resource_exhausted",
    "resource exhausted",
    "failed to allocate",
    "alloc_failed",  # cuBLAS and cuDNN
    "bfcarena",
    "bad_alloc",
    "cudaerrormemoryallocation",
    "defaultcpuallocator: can't allocate",
    "not enough memory",
    "unable to allocate",
    "dst tensor is not initialized",  # TensorFlow, when a copy to the GPU finds no room
)
_PREFIXES = "kmgtpe"  # of powers of 1024, also where frameworks write GB
_TENSOR = re.compile(r"shape\s*\[([\d,]+)\] and type (\w+)")  # TensorFlow
_AMOUNT = re.compile(
    r"(?:allocat|requested size|request for)[^\d]{0,60}?(\d+(?:\.\d+)?) ?(?:bytes?|([kmgtpe])(?:ib|b)?|b)\b",
    re.I,
)
_PLAIN = re.compile(r"(?:of size|bytes of) (\d+)", re.I)  # ONNX Runtime's, in bytes
_WIDTHS = {
    "double": 8, "int64": 8, "float": 4, "int32": 4, "half": 2, "bfloat16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
_HOST_WORDS = ("defaultcpuallocator", "for an array with shape", "bad_alloc")  # torch's, numpy's, C++'s


def is_of_the_host(error: BaseException) -> bool:
    """Return whether the host's memory ran out, whatever the device: by the words, or Python's own error without CUDA's."""
    text = str(error).lower()
    plain = isinstance(error, MemoryError) and "cuda" not in text
    return plain or any(word in text for word in _HOST_WORDS)


def is_oom(text: str) -> bool:
    """Return whether an error's text says that memory was not to be had."""
    lower = text.lower()
    return any(word in lower for word in _WORDS)


def asked_bytes(text: str) -> int | None:
    """Return how many bytes were asked for, as far as the text says it; TensorFlow tells a tensor's shape and type."""
    if tensor := _TENSOR.search(text):
        count = _WIDTHS.get(tensor[2], 0)
        for size in tensor[1].split(","):
            count *= int(size or 1)
        return count or None
    if plain := _PLAIN.search(text):
        return int(plain[1])
    amount = _AMOUNT.search(text)
    if not amount:
        return None
    thousands = 1 + _PREFIXES.index(amount[2].lower()) if amount[2] else 0
    return round(float(amount[1]) * (1 << 10 * thousands))
