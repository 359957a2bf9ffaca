"""What the processor computes with 8-bit integers, as its flags in /proc/cpuinfo tell."""

from __future__ import annotations

import re

# the first that it has; flags as Linux names them
_INT8 = (
    ("AMX", "amx_int8"),
    ("AVX-512 VNNI", "avx512_vnni"),
    ("AVX-VNNI", "avx_vnni"),
    ("AVX-512 without VNNI", "avx512bw"),
    ("AVX2 without VNNI", "avx2"),
    ("I8MM", "i8mm"),
    ("DOTPROD", "asimddp"),
)


def int8_unit(cpuinfo: str) -> str:
    """Return the best instructions for sums of products of 8-bit integers, "" where none are known."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.M)
    flags = set(found[1].split()) if found else set()
    return next((name for name, flag in _INT8 if flag in flags), "")


def saturates(unit: str) -> bool:
    """Return whether two products of 8-bit integers are added in 16 bits, which overflows where weights have all 8 bits."""
    return unit.endswith("without VNNI")


def weight_bits(unit: str) -> int:
    """Return how many bits weights are quantised to for a processor of such a unit: one fewer where 8 would overflow."""
    return 7 if saturates(unit) else 8
