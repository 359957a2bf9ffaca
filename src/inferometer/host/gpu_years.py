"""When a GPU came to market, for comparing newer with older ones; public product announcements, year only."""

from __future__ import annotations

import re

# the first card of the name; where a name covers several years, the first
_YEARS = (
    (r"\bG?B200\b|\bH200\b", 2024),
    (r"\bL4\b|\bMI300\w?\b", 2023),
    (r"RTX 50\d\d", 2025),
    (r"\bH100\b|\bL40S?\b|RTX 40\d\d|RTX 3090 Ti|\bMI210\b", 2022),
    (r"\bA2\b|\bA10\b|\bA16\b|\bMI250X?\b", 2021),
    (r"\bA100\b|\bA40\b|RTX 30\d\d", 2020),
    (r"V100S", 2019),
    (r"\bT4\b|RTX 20\d\d|TITAN RTX", 2018),
    (r"V100|TITAN V", 2017),
    (r"\bP100\b|\bP40\b|\bP4\b|GTX 10\d\d|TITAN X", 2016),
    (r"\bK80\b", 2014),
)


def launch_year(name: str) -> int | None:
    """Return the year in which the GPU of this name was launched; None where it is not in the list."""
    return next((year for pattern, year in _YEARS if re.search(pattern, name, re.IGNORECASE)), None)
