"""What the rest of the project asks of `models` and gets back.

Forms: the shapes in which a framework takes a model.
    keras       Keras file, `.keras`
    savedmodel  TensorFlow SavedModel directory
    exported    torch exported program, `.pt2`
    onnx        ONNX file, weights inside or beside it
    tflite      LiteRT flatbuffer
    jaxexport   folder: a function exported by JAX, and weights
    onnx-int8, ...  the same quantised after training, for cells at int8 and int8-weights
Which framework takes which: `frameworks.catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from inferometer.precisions import Stored
from inferometer.records import ModelInfo

Form = Literal[
    "keras",
    "savedmodel",
    "exported",
    "onnx",
    "tflite",
    "jaxexport",
    "onnx-int8",
    "onnx-int8-weights",
    "openvino-int8",
    "openvino-int8-weights",
    "tflite-int8",
    "tflite-int8-weights",
    "inductor-int8",
    "xnnpack-int8",
]
FORMS: tuple[Form, ...] = get_args(Form)
FILES: Mapping[Form, str] = {  # what a step leaves in its folder
    "keras": "model.keras",
    "savedmodel": "saved",
    "exported": "model.pt2",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
    "jaxexport": "jaxexport",
    "onnx-int8": "model.onnx",
    "onnx-int8-weights": "model.onnx",
    "openvino-int8": "model.xml",
    "openvino-int8-weights": "model.xml",
    "tflite-int8": "model.tflite",
    "tflite-int8-weights": "model.tflite",
    "inductor-int8": "model.pt2",
    "xnnpack-int8": "model.pt2",
}
TITLES: Mapping[Form, str] = {
    "keras": "a Keras file",
    "savedmodel": "a SavedModel",
    "exported": "a torch exported program",
    "onnx": "an ONNX file",
    "tflite": "a LiteRT flatbuffer",
    "jaxexport": "a function exported by JAX",
    "onnx-int8": "a quantised ONNX file",
    "onnx-int8-weights": "an ONNX file with quantised weights",
    "openvino-int8": "an OpenVINO model quantised by NNCF",
    "openvino-int8-weights": "an OpenVINO model with weights quantised by NNCF",
    "tflite-int8": "a quantised LiteRT flatbuffer",
    "tflite-int8-weights": "a LiteRT flatbuffer with quantised weights",
    "inductor-int8": "a torch exported program quantised for Inductor",
    "xnnpack-int8": "a torch exported program quantised for XNNPACK",
}
NAMED_WEIGHTS = ("random", "imagenet", "pretrained")  # anything else is a file
Layout = Literal["NHWC", "NCHW", ""]  # of 4-D image inputs; "": the model takes no images


@dataclass(frozen=True)
class ModelRequest:
    """What the user asked for."""

    model: str = "mobilenet_v3_large"  # a file, a folder, or a name (`sources`)
    architecture: str = ""  # what a file of PyTorch weights belongs to: timm:NAME, FILE.py:FACTORY, ...
    weights: str = "random"  # random, imagenet, pretrained, or a file
    seed: int = 0
    images: tuple[Path, ...] | None = None  # files or folders; None: the photos that ship with the project
    inputs: Path | None = None  # one array per model input: .npz, .npy, or a folder (`steps.given`)
    shapes: dict[str, int] = field(default_factory=dict)  # symbolic dimension -> size
    batch_axes: dict[str, int | None] = field(
        default_factory=dict
    )  # input -> axis of the rows; None: no rows
    calibration: Path | None = None  # rows that quantising learns ranges from; None: those of the run
    input_ranges: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # input -> [low, high), or one value
    trust_model: bool = False  # allow a file to run code of its own (Lambda layers, pickles, FILE.py:FACTORY)

    def located(self) -> ModelRequest:
        """Return the request with absolute paths; names (of architectures, "random", "imagenet") stay."""
        return replace(
            self,
            model=_located(self.model),
            architecture=_located(self.architecture),
            weights=self.weights if self.weights in NAMED_WEIGHTS else str(Path(self.weights).absolute()),
            images=self.images and tuple(path.absolute() for path in self.images),
            inputs=self.inputs and self.inputs.absolute(),
            calibration=self.calibration and self.calibration.absolute(),
        )


def is_path(name: str) -> bool:
    """Return whether a name is of a file or folder: one that is there, or that looks like one."""
    path = Path(name)
    return bool(name) and (path.suffix != "" or "/" in name or path.exists())


def _located(name: str) -> str:
    """Return a model's name with its path absolute: FILE, FILE.py:FACTORY, hf:FOLDER; other names as they are."""
    prefix, colon, rest = name.partition(":")
    if colon and prefix.endswith(".py"):
        return f"{Path(prefix).absolute()}:{rest}"
    if colon:
        return f"{prefix}:{Path(rest).absolute()}" if prefix == "hf" and Path(rest).is_dir() else name
    return str(Path(name).absolute()) if is_path(name) else name


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model; None in the shape is the batch."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str  # numpy's name


@dataclass(frozen=True)
class ModelSize:
    """How large a model is, as far as it can be counted without running it; None where it cannot."""

    parameters: int | None = None
    macs: int | None = None  # multiply-accumulates of one row


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
    via: str = ""  # the converters on its way that are not its framework's own, as in "onnx2torch"
    own: OwnReference | None = None  # None: it is to answer as the source does

    @property
    def fixed_batch(self) -> int | None:
        """Return the only batch size that it takes, None where any will do."""
        return next((spec.shape[0] for spec in self.inputs if spec.shape), None)


@dataclass(frozen=True)
class Checks:
    """What outputs are checked with besides the reference of the timed rows; paths are None where there is none."""

    ambiguity: Path | None = None  # how far the reference differs from itself (`worker.parity.ambiguity`)
    unseen_inputs: Path | None = None  # rows that no timed batch holds, like `PreparedModel.inputs`
    unseen_reference: Path | None = None
    stored: str = ""  # the precision inside the model's file, where it is coarser than fp32
    ragged: tuple[int, ...] = ()  # outputs whose size is each row's own (`worker.ragged`)


@dataclass(frozen=True)
class OwnReference:
    """What a quantised model is to answer, since quantising changed it; how much is ``loss`` (`models.quantisation`)."""

    reference: Path  # .npz, as of `PreparedModel`
    checks: Checks
    loss: Mapping[str, Any]


@dataclass(frozen=True)
class PreparedModel:
    """A model ready to measure: artifacts by form, and for each form that could not be made, why."""

    info: ModelInfo
    artifacts: dict[str, Artifact]
    missing: dict[str, str]  # form -> which step is missing or failed, and why
    inputs: Path  # .npz: one array per model input, N distinct rows, in the source's layout
    reference: Path  # .npz: the source's fp32 outputs for these N rows, in the order of its outputs
    checks: Checks = Checks()
    layout: str = "NHWC"  # of the 4-D arrays in `inputs`
    stored: Stored | None = None  # what the model's file is measured as, where it is no fp32 model
    entries: tuple[Path, ...] = ()  # folders of the cache that it was made of


class StepRunner(Protocol):
    """Runs ``inferometer.<module>.run(request)`` inside an environment ("tf", "torch", "onnxrt")."""

    def __call__(self, environment: str, module: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return the step's answer; ModelError carries the cause when the step raised or died."""
        ...
