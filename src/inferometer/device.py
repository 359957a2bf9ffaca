"""What a cell runs on: the CPU, or one accelerator. Stored and printed as text: "cpu", "cuda:0"."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.errors import UsageError

_GPU_KINDS = ("cuda", "rocm")


@dataclass(frozen=True, order=True)
class Device:
    """A device by its kind and its number, the driver's (as nvidia-smi counts); `str` gives the stored name."""

    kind: str  # "cpu", "cuda", "rocm"
    index: int = 0

    @classmethod
    def parse(cls, name: str) -> Device:
        """Return the device of a name; a kind alone means its first. UsageError for a number that is none."""
        kind, colon, number = name.partition(":")
        plain = number.isascii() and number.isdigit() and len(number) < 10
        if not kind or (colon and not plain):
            raise UsageError(f"device '{name}' is no kind with a number: write cpu, cuda:0, cuda:1, ...")
        return cls(kind, int(number or 0))

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU, of whatever make."""
        return self.kind in _GPU_KINDS

    @property
    def family(self) -> str:
        """Return "cpu" or "gpu": what kind of meter sees its work."""
        return "gpu" if self.is_gpu else self.kind
