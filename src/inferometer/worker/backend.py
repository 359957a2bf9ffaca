"""What a backend answers: the whole contract between the measuring loop and a framework.

A backend module in `worker/backends/` holds one subclass of `Backend` named `Runtime`. It is the only place that imports
its framework, and does so in `__init__`, so that import time counts as load time.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag
from inferometer.worker.precisions import QUANTISED

Batch = tuple["np.ndarray[Any, Any]", ...]  # one array a model input, all of one batch size
Outputs = list["np.ndarray[Any, Any]"]  # one array a model output, in the artifact's order


@dataclass(frozen=True)
class Opening:
    """Which artifact to load, and how; all that a backend gets to know."""

    form: str  # keras, savedmodel, exported, onnx, tflite, ...
    path: Path
    layout: str  # of 4-D inputs: NHWC, NCHW or ""
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    precision: str  # fp32, tf32, fp16, bf16, int8, int8-weights
    device: str  # "cpu" or "cuda": other GPUs are hidden from this process, so there is no index
    threads: int
    options: dict[str, Any] = field(default_factory=dict)  # the framework's and the variant's settings
    cache: Path = Path()  # a folder of this run's own for compiled code
    stored: str = ""  # the coarsest precision inside the artifact, where it is below fp32
    mode: str = "host"  # host, device or host-pipelined: the only one that this process will be asked for

    @property
    def quantised(self) -> bool:
        """Return whether operators may run in integers, or weights be kept in them: asked for, or what the artifact holds."""
        return self.stored == "int8" or self.precision in QUANTISED


class Pipeline(abc.ABC):
    """Host to host with several batches of one shape in flight, delivered in the order they came."""

    @abc.abstractmethod
    def submit(self, batch: Batch) -> list[Outputs]:
        """Start on a batch (uint8), first waiting for a free buffer; return the outputs that this made ready."""

    @abc.abstractmethod
    def drain(self) -> list[Outputs]:
        """Return the outputs of every batch still in flight."""


class Backend(abc.ABC):
    """A framework with one artifact loaded, at one precision, on one device."""

    memory_layout: str = ""  # order in memory of 4-D inputs, where it differs from the artifact's: NHWC, NCHW

    @abc.abstractmethod
    def __init__(self, opening: Opening) -> None:
        """Import the framework, pin threads and precision, read the artifact; Unsupported if it cannot be done."""

    @abc.abstractmethod
    def prepare(self, batch: Batch) -> None:
        """Compile and allocate for arrays of this shape; called once a shape, never timed as inference."""

    @abc.abstractmethod
    def run(self, batch: Batch) -> Outputs:
        """Host mode: numpy in, numpy out, all device work finished on return. Outputs are float32 or integers."""

    def place(self, batch: Batch) -> Any:
        """Device mode: copy a batch to where the model computes; returns what `run_resident` takes."""
        return batch

    def run_resident(self, placed: Any) -> Any:
        """Device mode: start inference on a placed batch; its output stays on the device, work may be unfinished."""
        return self.run(placed)

    def synchronise(self) -> None:  # noqa: B027  (nothing to wait for on a CPU)
        """Device mode: wait until all started work is done."""

    def fetch(self, resident: Any) -> Outputs:
        """Copy what `run_resident` returned to numpy (for parity; never timed)."""
        outputs: Outputs = resident
        return outputs

    def pipeline(self, batch: Batch) -> Pipeline:
        """Mode host-pipelined: return a pipeline for uint8 batches of this shape; never timed."""
        raise Unsupported("this framework is not driven through a pipeline here")

    def phases(self, batch: Batch) -> dict[str, float]:
        """Return the seconds of one host-mode batch by phase; {} where the framework does not let them be told apart.

        copy_in ends when the input is where the model computes, enqueue when the call has returned, compute when the
        device has finished (it begins with enqueue), copy_out when numpy has the outputs.
        """
        return {}

    @abc.abstractmethod
    def actual(self) -> dict[str, Any]:
        """Return what the framework says it did: device, precision, threads, version, versions, details."""

    def device_peak_bytes(self) -> int | None:
        """Return the framework allocator's peak on the device since it was last reset, where there is one."""
        return None

    def reset_device_peak(self) -> None:  # noqa: B027
        """Begin a new peak of the device's allocator, where there is one."""

    def release(self) -> None:  # noqa: B027
        """Give back device memory that no longer serves anything; called before each cell, also after a failed one."""

    def flags(self) -> list[Flag]:
        """Return what a reader of the cell must know beyond its status, such as nodes that ran elsewhere."""
        return []
