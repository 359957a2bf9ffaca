"""What the study's raw files call things."""

from __future__ import annotations

import re
from dataclasses import dataclass

# the study's eight rows -> (framework, precision) here; the study's FP32 was asked for, not verified
_REPORT = {
    "tf": ("tf", "fp32"),
    "tfxla": ("tfxla", "fp32"),
    "keras": ("keras", "fp32"),
    "kerasxla": ("kerasxla", "fp32"),
    "tftrtfp16": ("tftrt", "fp16"),
    "tftrtfp32": ("tftrt", "fp32"),
    "tftrt16": ("tftrt", "fp16"),
    "tftrt32": ("tftrt", "fp32"),
    "onnxrt": ("onnxrt", "fp32"),
    "torch": ("torch", "fp32"),
    "openvino": ("openvino", "fp32"),
    "jax": ("jax", "fp32"),
}
_BY_LENGTH = sorted(_REPORT, key=len, reverse=True)

LOOP_FILE = re.compile(
    r"(?P<name>.+?)_(?P<loops>\d+)_it_(?P<site>.+?)(?:_(?P<variant>py|nb|jnb))?\.csv", re.IGNORECASE
)
REGION = re.compile(r"(?P<name>.+)_(?P<batch>\d+)_(?P<loop>\d+)")
VARIANT = re.compile(r"_(py|nb|jnb)\.csv$", re.IGNORECASE)


@dataclass(frozen=True)
class Framework:
    """A row of the study: framework and precision, and what stood before its name in the file."""

    framework: str
    precision: str
    prefix: str = ""

    @property
    def tells_precision(self) -> bool:
        """Whether the name says its precision; of the others it is the study's word."""
        return self.framework == "tftrt"


def framework(name: str) -> Framework:
    """Return what ``name`` (any case, with or without a machine's prefix: v100TFTRTFP16) means."""
    lower = name.strip().lower()
    for known in _BY_LENGTH:
        if lower.endswith(known):
            return Framework(*_REPORT[known], prefix=lower[: -len(known)].rstrip("_-"))
    return Framework(lower, "fp32")


def place(known: Framework) -> int:
    """Return where a framework stands in the study's tables; unknown ones last."""
    rows = list(_REPORT.values())
    row = (known.framework, known.precision)
    return rows.index(row) if row in rows else len(rows)


def variant(text: str | None) -> str:
    """Return "py" or "nb" (or "" where a name says neither)."""
    lower = (text or "").lower()
    return "nb" if lower == "jnb" else lower
