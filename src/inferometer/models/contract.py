"""What the rest of the project asks of `models` and gets back.

Forms: the shapes in which a framework takes a model.
    keras       Keras file, `.keras`                        (keras, kerasxla, jax)
    savedmodel  TensorFlow SavedModel directory             (tf, tfxla, tftrt)
    exported    torch exported program, `.pt2`              (torch, torch-compile)
    onnx        ONNX file, weights inside or beside it      (onnxrt, openvino, tensorrt)
    tflite      LiteRT flatbuffer                           (litert)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from inferometer.records import ModelInfo

Form = Literal["keras", "savedmodel", "exported", "onnx", "tflite"]
FORMS: tuple[Form, ...] = ("keras", "savedmodel", "exported", "onnx", "tflite")
MODEL_SUFFIXES = (".onnx", ".keras")  # anything else is the name of an architecture
NAMED_WEIGHTS = ("random", "imagenet")  # anything else is a file
Layout = Literal["NHWC", "NCHW", ""]  # of 4-D image inputs; "": the model takes no images


@dataclass(frozen=True)
class ModelRequest:
    """What the user asked for."""

    model: str = "mobilenet_v3_large"  # a keras.applications name, FILE.onnx or FILE.keras
    weights: str = "random"  # random, imagenet, or FILE (.weights.h5, .h5, .keras)
    seed: int = 0
    images: tuple[Path, ...] | None = None  # files or folders; None: the photos that ship with the project
    inputs: Path | None = None  # .npz with one array per model input
    shapes: dict[str, int] = field(default_factory=dict)  # symbolic dimension -> size
    input_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)  # input -> [low, high)
    trust_model: bool = False  # allow a .keras file to run code of its own (Lambda layers)

    def located(self) -> ModelRequest:
        """Return the request with absolute paths; names (of architectures, "random", "imagenet") stay."""
        return replace(
            self,
            model=str(Path(self.model).absolute())
            if Path(self.model).suffix.lower() in MODEL_SUFFIXES
            else self.model,
            weights=self.weights if self.weights in NAMED_WEIGHTS else str(Path(self.weights).absolute()),
            images=self.images and tuple(path.absolute() for path in self.images),
            inputs=self.inputs and self.inputs.absolute(),
        )


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model; None in the shape is the batch."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str  # numpy's name


@dataclass(frozen=True)
class Artifact:
    """A model in one form, converted and checked against its source."""

    form: str
    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layout: str  # `Layout`
    hash: str
    parity: dict[
        str, Any
    ]  # `parity.compare` against the source's outputs, on the rows of `PreparedModel.inputs`


@dataclass(frozen=True)
class Checks:
    """What outputs are checked with besides the reference of the timed rows; paths are None where there is none."""

    ambiguity: Path | None = None  # how far the reference differs from itself (`worker.parity.ambiguity`)
    unseen_inputs: Path | None = None  # rows that no timed batch holds, like `PreparedModel.inputs`
    unseen_reference: Path | None = None
    stored: str = ""  # the precision inside the model's file, where it is coarser than fp32


@dataclass(frozen=True)
class PreparedModel:
    """A model ready to measure: artifacts by form, and for each form that could not be made, why."""

    info: ModelInfo
    artifacts: dict[str, Artifact]
    missing: dict[str, str]  # form -> which step is missing or failed, and why
    inputs: Path  # .npz: one array per model input, N distinct rows, in the source's layout (images NHWC)
    reference: Path  # .npz: the source's fp32 outputs for these N rows, in the order of its outputs
    checks: Checks = Checks()


class StepRunner(Protocol):
    """Runs ``inferometer.<module>.run(request)`` inside an environment ("tf", "torch", "onnxrt")."""

    def __call__(self, environment: str, module: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return the step's answer; ModelError carries the cause when the step raised or died."""
        ...
