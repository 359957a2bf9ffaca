"""Every framework known: one registration each, and the syntax `name[@version][:variant+variant]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inferometer.errors import UsageError, unknown
from inferometer.host.gpus import is_older
from inferometer.records import Gpu


@dataclass(frozen=True)
class Variant:
    """A named configuration of a framework: settings that replace or add to its own, and where they can be had."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    precisions: tuple[str, ...] = ()  # (): whatever the framework has
    modes: tuple[str, ...] = ()  # (): likewise
    excludes: tuple[str, ...] = ()  # variants that contradict this one


@dataclass(frozen=True)
class Framework:
    """One row of a result table: a runtime in one configuration."""

    name: str
    title: str
    backend: str  # module below worker/backends
    environment: str  # folder below pins/
    form: str  # of the artifact it takes, unless `forms` says otherwise
    distribution: str  # the package whose version `name@version` replaces
    module: str  # what must be importable in a given interpreter
    options: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    precisions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"cpu": ("fp32",), "cuda": ("fp32", "tf32")}
    )
    forms: Mapping[str, str] = field(
        default_factory=dict
    )  # precision -> form, where `form` exists in fp32 only
    modes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"cpu": ("host", "device"), "cuda": ("host", "device")}
    )
    variants: Mapping[str, Variant] = field(default_factory=dict)
    capabilities: tuple[
        str, ...
    ] = ()  # compute capabilities that it has code for, as in 8.6; (): does not say
    only_given: str = ""  # why it has no requirement set and runs in an interpreter of the user's only
    # rough figures for the estimate of a run's length only: images/s of MobileNetV3-Large on two CPU cores, seconds to prepare
    nominal_images_per_s: float = 100.0
    nominal_prepare_s: float = 3.0

    def form_at(self, precision: str) -> str:
        """Return the form of the artifact that is loaded for a precision."""
        return self.forms.get(precision, self.form)


@dataclass(frozen=True)
class FrameworkChoice:
    """A framework as the user named it: `onnxrt@1.30.0:io-binding`."""

    framework: Framework
    version: str = ""
    variants: tuple[str, ...] = ()
    precision: str = ""  # that its name fixes (`tftrtfp16`); "": those of the request

    @property
    def label(self) -> str:
        """Return the name of the row."""
        version = f"@{self.version}" if self.version else ""
        variant = f":{'+'.join(self.variants)}" if self.variants else ""
        return f"{self.framework.name}{version}{variant}"

    @property
    def options(self) -> dict[str, Any]:
        """Return the framework's settings with the variants' on top."""
        merged = dict(self.framework.options)
        for variant in self.variants:
            merged.update(self.framework.variants[variant].options)
        return merged

    def unsupported_reason(self, device: str, precision: str, mode: str, gpu: Gpu | None = None) -> str:
        """Return why this choice cannot run on a kind of device ("cpu", "cuda"), at a precision, in a mode; or "".

        ``gpu``: the card, where it is known; None says nothing of its abilities.
        """
        framework = self.framework
        known = framework.precisions.get(device, ())
        if precision not in known:
            return f"{framework.name} on {device} computes in {', '.join(known)}, not {precision}"
        floor = _CAPABILITIES.get(precision, "")
        if gpu and is_older(gpu, floor):
            return f"{precision} needs compute capability {floor} or newer, {gpu.name} has {gpu.compute_capability}"
        if mode not in framework.modes.get(device, ()):
            return f"{framework.name} on {device} has no mode '{mode}' (it has {', '.join(framework.modes.get(device, ()))})"
        reasons = (self._variant_unsupported_reason(name, device, precision, mode) for name in self.variants)
        return next(filter(None, reasons), "")

    def _variant_unsupported_reason(self, name: str, device: str, precision: str, mode: str) -> str:
        variant, title = self.framework.variants[name], f"{self.framework.name}:{name}"
        if device not in variant.devices:
            return f"{title} needs a device of kind {', '.join(variant.devices)}, not {device}"
        if variant.precisions and precision not in variant.precisions:
            return f"{title} is for {', '.join(variant.precisions)}, not {precision}"
        if variant.modes and mode not in variant.modes:
            return f"{title} is for mode {', '.join(variant.modes)}, not {mode}"
        clash = next((other for other in self.variants if other in variant.excludes), "")
        return f"variants '{name}' and '{clash}' of {self.framework.name} exclude each other" if clash else ""


# the first compute capability with arithmetic for a precision (CUDA programming guide); older cards compute such models
# in fp32, and the row would be called what it is not
_CAPABILITIES = {"tf32": "8.0", "bf16": "8.0"}

_CHOICE = re.compile(r"(?P<name>[\w-]+)(@(?P<version>[\w.+!-]+?))?(:(?P<variants>[\w+-]+))?")


def parse_choice(text: str) -> FrameworkChoice:
    """Return the choice that ``text`` names; UsageError with the nearest name if there is none."""
    match = _CHOICE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"framework '{text}' is not of the form name[@version][:variant+variant]")
    name, precision = _ALIASES.get(match["name"].lower(), (match["name"], ""))
    framework = find_framework(name)
    variants = tuple(match["variants"].split("+")) if match["variants"] else ()
    for variant in variants:
        if variant not in framework.variants:
            if not framework.variants:
                raise UsageError(f"framework '{framework.name}' has no variants, so '{text}' cannot be had")
            raise unknown(f"variant of {framework.name}", variant, framework.variants)
    return FrameworkChoice(framework, match["version"] or "", variants, precision)


def find_framework(name: str) -> Framework:
    """Return a framework by name; UsageError with the nearest name if there is none."""
    if name.lower() not in FRAMEWORKS:
        raise unknown("framework", name, FRAMEWORKS)
    return FRAMEWORKS[name.lower()]


# the study's names for a framework at one precision
_ALIASES = {"tftrtfp16": ("tftrt", "fp16"), "tftrtfp32": ("tftrt", "fp32")}

_GPU_ONLY = {"cuda": ("fp32", "tf32", "fp16", "bf16")}
_EVERYWHERE = {"cpu": ("fp32", "fp16", "bf16"), **_GPU_ONLY}
_TENSORRT = {"cuda": (*_GPU_ONLY["cuda"], "int8")}  # int8: of files that are quantised already
_NO_TENSORRT_LIBRARIES = "the package registry has no TensorRT libraries"
_HALVES_FROM_KERAS = {"fp16": "keras", "bf16": "keras"}  # a SavedModel computes in float32
_PIPELINED = {"cpu": ("host", "device"), "cuda": ("host", "device", "host-pipelined")}
_UNPIPELINED = ("host", "device")
_CHANNELS_LAST = Variant("images and kernels NHWC in memory", {"channels_last": True})
_AUTOCAST = Variant(
    "weights in float32, lower precision where torch.autocast says", {"autocast": True},
    precisions=("fp16", "bf16"), modes=_UNPIPELINED,
)  # fmt: skip
_NAIVE_TORCH = Variant(
    "the study's own way: torch.tensor(batch).to(device), .cpu().numpy(), nothing pinned",
    {"naive": True}, modes=("host",), excludes=("cudagraph", "reduce-overhead"),
)  # fmt: skip
_NAIVE_TF = Variant(
    "the study's own way: a new tensor of every batch, nothing shared or pinned",
    {"naive": True},
    modes=("host",),
)
_NAIVE_JAX = Variant(
    "the plain way: one device_put of every batch, not cut in pieces",
    {"naive": True}, devices=("cuda",), modes=("host",),
)  # fmt: skip

_ALL = (
    Framework(
        "tf", "TensorFlow, tf.function", "tensorflow", "tf", "savedmodel", "tensorflow-cpu", "tensorflow",
        options={"function": True}, precisions=_EVERYWHERE, forms=_HALVES_FROM_KERAS, variants={"naive": _NAIVE_TF},
        nominal_images_per_s=200, nominal_prepare_s=4.5,
    ),
    Framework(
        "tfxla", "TensorFlow, XLA", "tensorflow", "tf", "savedmodel", "tensorflow-cpu", "tensorflow",
        options={"function": True, "xla": True}, precisions=_EVERYWHERE, forms=_HALVES_FROM_KERAS,
        variants={"naive": _NAIVE_TF},
        nominal_images_per_s=22, nominal_prepare_s=5.5,
    ),
    Framework(
        "keras", "Keras on TensorFlow, called eagerly", "tensorflow", "tf", "keras", "tensorflow-cpu", "tensorflow",
        options={"naive": True}, precisions=_EVERYWHERE,
        variants={
            "predict": Variant(
                "model.predict_on_batch instead of calling the model", {"predict": True}, modes=("host",)
            )
        },
        nominal_images_per_s=50, nominal_prepare_s=8,
    ),
    Framework(
        "kerasxla", "Keras on TensorFlow, XLA", "tensorflow", "tf", "keras", "tensorflow-cpu", "tensorflow",
        options={"xla": True}, precisions=_EVERYWHERE, variants={"naive": _NAIVE_TF},
        nominal_images_per_s=22, nominal_prepare_s=6,
    ),
    Framework(
        "torch", "PyTorch, eager", "torch", "torch", "exported", "torch", "torch",
        precisions=_EVERYWHERE, modes=_PIPELINED,
        variants={
            "channels_last": _CHANNELS_LAST,
            "autocast": _AUTOCAST,
            "cudagraph": Variant(
                "eager calls captured as a CUDA graph", {"cudagraph": True}, devices=("cuda",), modes=_UNPIPELINED
            ),
            "naive": _NAIVE_TORCH,
        },
        nominal_images_per_s=130, nominal_prepare_s=5,
    ),
    Framework(
        "torch-compile", "PyTorch, Inductor", "torch", "torch", "exported", "torch", "torch",
        options={"compile": True}, precisions=_EVERYWHERE, modes=_PIPELINED,
        variants={
            "channels_last": _CHANNELS_LAST,
            "autocast": _AUTOCAST,
            "max-autotune": Variant("Inductor tries every kernel", {"max_autotune": True}),
            "reduce-overhead": Variant(
                "compiled calls captured as CUDA graphs", {"cudagraphs": True}, devices=("cuda",), modes=_UNPIPELINED
            ),
            "naive": _NAIVE_TORCH,
        },
        nominal_images_per_s=250, nominal_prepare_s=14,
    ),
    Framework(
        "torch-aot", "PyTorch, AOTInductor", "torch_aot", "torch", "exported", "torch", "torch",
        devices=("cpu",), precisions={"cpu": ("fp32", "fp16", "bf16")}, variants={"channels_last": _CHANNELS_LAST},
        nominal_images_per_s=250, nominal_prepare_s=30,
    ),
    Framework(
        "executorch", "ExecuTorch, XNNPACK", "executorch", "executorch", "exported", "executorch", "executorch",
        devices=("cpu",), precisions={"cpu": ("fp32",)}, nominal_images_per_s=300, nominal_prepare_s=30,
    ),
    Framework(
        "onnxrt", "ONNX Runtime", "onnxruntime", "onnxrt", "onnx", "onnxruntime", "onnxruntime",
        precisions={"cpu": ("fp32",), "cuda": ("fp32", "tf32", "fp16")},
        variants={
            "io-binding": Variant(
                "inputs and outputs bound to buffers of their own; on a GPU this is the default", {"binding": True}
            ),
            "cudagraph": Variant("runs captured as a CUDA graph", {"cudagraph": True}, devices=("cuda",)),
            "naive": Variant(
                "the study's own way: numpy to session.run, nothing bound", {"naive": True},
                devices=("cuda",), modes=("host",), excludes=("io-binding", "cudagraph"),
            ),
        },
        nominal_images_per_s=500, nominal_prepare_s=0.5,
    ),
    Framework(
        "openvino", "OpenVINO", "openvino", "openvino", "onnx", "openvino", "openvino",
        devices=("cpu",), precisions={"cpu": ("fp32", "bf16", "fp16")},
        nominal_images_per_s=560, nominal_prepare_s=0.8,
    ),
    Framework(
        "jax", "Keras on JAX, jit", "jax", "jax", "keras", "jax", "jax",
        precisions=_EVERYWHERE, modes=_PIPELINED, variants={"naive": _NAIVE_JAX},
        nominal_images_per_s=25, nominal_prepare_s=12,
    ),
    Framework(
        "litert", "LiteRT (TensorFlow Lite)", "litert", "litert", "tflite", "ai-edge-litert", "ai_edge_litert",
        devices=("cpu",), precisions={"cpu": ("fp32",)}, nominal_images_per_s=580, nominal_prepare_s=0.3,
    ),
    Framework(
        "opencv", "OpenCV DNN", "opencv", "opencv", "onnx", "opencv-python-headless", "cv2",
        devices=("cpu",), precisions={"cpu": ("fp32",)}, nominal_images_per_s=300, nominal_prepare_s=0.5,
    ),
    Framework(
        "mnn", "MNN", "mnn", "mnn", "onnx", "MNN", "MNN",
        devices=("cpu",), precisions={"cpu": ("fp32",)}, nominal_images_per_s=300, nominal_prepare_s=0.5,
    ),
    Framework(
        "ncnn", "ncnn", "ncnn", "ncnn", "onnx", "ncnn", "ncnn",
        devices=("cpu",), precisions={"cpu": ("fp32",)}, nominal_images_per_s=300, nominal_prepare_s=5,
    ),
    Framework(
        "onnxrt-tensorrt", "ONNX Runtime, TensorRT provider", "onnxruntime", "onnxrt-tensorrt", "onnx", "onnxruntime",
        "onnxruntime", options={"provider": "tensorrt"}, devices=("cuda",),
        precisions={"cuda": ("fp32", "tf32", "fp16")}, only_given=_NO_TENSORRT_LIBRARIES,
    ),
    Framework(
        "tensorrt", "TensorRT", "tensorrt", "tensorrt", "onnx", "tensorrt", "tensorrt",
        devices=("cuda",), precisions=_TENSORRT,
    ),
    Framework(
        "tensorrt-rtx", "TensorRT for RTX", "tensorrt", "tensorrt-rtx", "onnx", "tensorrt-rtx", "tensorrt_rtx",
        options={"rtx": True}, devices=("cuda",), precisions=_TENSORRT,
        capabilities=("7.5", "8.0", "8.6", "8.9", "12.0", "12.1"),
    ),
    Framework(
        "tftrt", "TensorFlow with TensorRT", "tftrt", "tftrt", "savedmodel", "tensorflow", "tensorflow",
        devices=("cuda",), precisions={"cuda": ("fp32", "tf32", "fp16")}, variants={"naive": _NAIVE_TF},
        only_given=f"TF-TRT ended with TensorFlow 2.17, and {_NO_TENSORRT_LIBRARIES}",
    ),
)  # fmt: skip

FRAMEWORKS: Mapping[str, Framework] = {framework.name: framework for framework in _ALL}
