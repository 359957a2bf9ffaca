"""When a GPU came to market, for comparing newer with older ones; public product announcements, year only."""

from __future__ import annotations

import re

_YEARS = (
    (r"\bB200\b|\bGB200\b", 2024), (r"\bH200\b", 2024), (r"\bH100\b|\bL4\b|\bL40S?\b|RTX 40\d\d", 2022), (r"RTX 50\d\d", 2025),
    (r"RTX 3090 Ti|RTX A\d000 Ada|MI2\d\d", 2022), (r"\bA2\b|\bA10\b|\bA16\b", 2021), (r"\bA100\b|\bA40\b|RTX 30\d\d", 2020),
    (r"\bT4\b|RTX 20\d\d|TITAN RTX", 2018), (r"V100S", 2019), (r"V100|TITAN V", 2017), (r"\bP100\b|\bP40\b|\bP4\b|GTX 10\d\d|TITAN X", 2016),
    (r"\bK80\b", 2014), (r"\bMI300\w?\b", 2023),
)  # fmt: skip


def launch_year(name: str) -> int | None:
    """Return the year in which the GPU of this name was launched; None where it is not in the list."""
    return next((year for pattern, year in _YEARS if re.search(pattern, name, re.IGNORECASE)), None)
