"""Every framework known: one registration each, and the syntax `name[@version][:variant+variant]`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inferometer.errors import UsageError, unknown
from inferometer.frameworks.framework import Framework, FrameworkChoice, Variant

_CHOICE = re.compile(r"(?P<name>[\w-]+)(@(?P<version>[\w.+!-]+?))?(:(?P<variants>[\w+=-]+))?")


def parse_choice(text: str) -> FrameworkChoice:
    """Return the choice that ``text`` names; UsageError with the nearest name if there is none."""
    match = _CHOICE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"framework '{text}' is not of the form name[@version][:variant+variant]")
    name, precision = _ALIASES.get(match["name"].lower(), (match["name"], ""))
    framework = find_framework(name)
    variants = tuple(match["variants"].split("+")) if match["variants"] else ()
    for variant in variants:
        _check_variant(framework, variant, text)
    return FrameworkChoice(framework, match["version"] or "", variants, precision)


def _check_variant(framework: Framework, variant: str, text: str) -> None:
    """Raise UsageError for a variant that a framework has not, and for a value that is missing, unknown or too much."""
    name, _, value = variant.partition("=")
    if name not in framework.variants:
        if not framework.variants:
            raise UsageError(f"framework '{framework.name}' has no variants, so '{text}' cannot be had")
        raise unknown(f"variant of {framework.name}", name, framework.variants)
    known, title = framework.variants[name], f"{framework.name}:{name}"
    if not known.takes and "=" in variant:
        raise UsageError(f"{title} takes no value, so '{text}' cannot be had; leave out '={value}'")
    if known.takes and not value:
        raise UsageError(f"{title} needs a value, as in {title}={known.values[0]}")
    if known.takes and value not in known.values:
        raise unknown(f"value of {title}", value, known.values)


def environment_names() -> tuple[str, ...]:
    """Return every environment that some framework, or a variant's value, uses."""
    own = {framework.environment for framework in FRAMEWORKS.values()}
    variants = [variant for framework in FRAMEWORKS.values() for variant in framework.variants.values()]
    valued = {
        each.environment.format(value=value) for each in variants for value in each.values if each.environment
    }
    return tuple(sorted(own | valued))


def find_framework(name: str) -> Framework:
    """Return a framework by name; UsageError with the nearest name if there is none."""
    if name.lower() not in FRAMEWORKS:
        raise unknown("framework", name, FRAMEWORKS)
    return FRAMEWORKS[name.lower()]


# the study's names for a framework at one precision
_ALIASES = {"tftrtfp16": ("tftrt", "fp16"), "tftrtfp32": ("tftrt", "fp32")}

_GPU_ONLY = {"cuda": ("fp32", "tf32", "fp16", "bf16")}
_EVERYWHERE = {"cpu": ("fp32", "fp16", "bf16"), **_GPU_ONLY}
_INDUCTOR = {**_EVERYWHERE, "cpu": (*_EVERYWHERE["cpu"], "int8")}
_INDUCTOR_INT8 = {"int8": "inductor-int8"}
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
        name="tf", title="TensorFlow, tf.function", backend="tensorflow", environment="tf",
        form="savedmodel", distribution="tensorflow-cpu", module="tensorflow",
        options={"function": True}, precisions=_EVERYWHERE, forms_by_precision=_HALVES_FROM_KERAS, variants={"naive": _NAIVE_TF},
        nominal_images_per_s=200, nominal_prepare_s=4.5,
    ),
    Framework(
        name="tfxla", title="TensorFlow, XLA", backend="tensorflow", environment="tf",
        form="savedmodel", distribution="tensorflow-cpu", module="tensorflow",
        options={"function": True, "xla": True}, precisions=_EVERYWHERE, forms_by_precision=_HALVES_FROM_KERAS,
        variants={"naive": _NAIVE_TF},
        nominal_images_per_s=22, nominal_prepare_s=5.5,
    ),
    Framework(
        name="keras", title="Keras on TensorFlow, called eagerly", backend="tensorflow", environment="tf",
        form="keras", distribution="tensorflow-cpu", module="tensorflow",
        options={"naive": True}, precisions=_EVERYWHERE,
        variants={
            "predict": Variant(
                "model.predict_on_batch instead of calling the model", {"predict": True}, modes=("host",)
            )
        },
        nominal_images_per_s=50, nominal_prepare_s=8,
    ),
    Framework(
        name="kerasxla", title="Keras on TensorFlow, XLA", backend="tensorflow", environment="tf",
        form="keras", distribution="tensorflow-cpu", module="tensorflow",
        options={"xla": True}, precisions=_EVERYWHERE, variants={"naive": _NAIVE_TF},
        nominal_images_per_s=22, nominal_prepare_s=6,
    ),
    Framework(
        name="torch", title="PyTorch, eager", backend="torch", environment="torch",
        form="exported", distribution="torch", module="torch",
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
        name="torch-compile", title="PyTorch, Inductor", backend="torch", environment="torch",
        form="exported", distribution="torch", module="torch",
        options={"compile": True}, precisions=_INDUCTOR, forms_by_precision=_INDUCTOR_INT8, modes=_PIPELINED,
        variants={
            "channels_last": _CHANNELS_LAST,
            "autocast": _AUTOCAST,
            "max-autotune": Variant(
                "Inductor tries every kernel", {"max_autotune": True}, precisions=_GPU_ONLY["cuda"]  # its own are not seen to be int8
            ),
            "reduce-overhead": Variant(
                "compiled calls captured as CUDA graphs", {"cudagraphs": True}, devices=("cuda",), modes=_UNPIPELINED
            ),
            "naive": _NAIVE_TORCH,
        },
        nominal_images_per_s=250, nominal_prepare_s=14,
    ),
    Framework(
        name="torch-aot", title="PyTorch, AOTInductor", backend="torch_aot", environment="torch",
        form="exported", distribution="torch", module="torch",
        precisions={"cpu": _INDUCTOR["cpu"]}, forms_by_precision=_INDUCTOR_INT8, variants={"channels_last": _CHANNELS_LAST},
        named_only=True, nominal_images_per_s=320, nominal_prepare_s=40,
    ),
    Framework(
        name="executorch", title="ExecuTorch, XNNPACK", backend="executorch", environment="executorch",
        form="exported", distribution="executorch", module="executorch",
        precisions={"cpu": ("fp32", "int8")}, forms_by_precision={"int8": "xnnpack-int8"},
        named_only=True, nominal_images_per_s=560, nominal_prepare_s=25,
    ),
    Framework(
        name="onnxrt", title="ONNX Runtime", backend="onnxruntime", environment="onnxrt",
        form="onnx", distribution="onnxruntime", module="onnxruntime",
        precisions={"cpu": ("fp32", "int8", "int8-weights"), "cuda": ("fp32", "tf32", "fp16")},
        forms_by_precision={"int8": "onnx-int8", "int8-weights": "onnx-int8-weights"},
        variants={
            "io-binding": Variant(
                "inputs and outputs bound to buffers of their own; on a GPU this is the default", {"binding": True}
            ),
            "cudagraph": Variant("runs captured as a CUDA graph", {"cudagraph": True}, devices=("cuda",)),
            "naive": Variant(
                "the study's own way: numpy to session.run, nothing bound", {"naive": True},
                devices=("cuda",), modes=("host",), excludes=("io-binding", "cudagraph"),
            ),
            "ep": Variant(
                "an execution provider of a package of its own, registered by name: onnxrt:ep=openvino",
                devices=("cpu",), precisions=("fp32",), excludes=("io-binding", "cudagraph", "naive"), takes="plugin",
                values=("openvino",), environment="onnxrt-ep-{value}",  # what it runs in integers cannot be read back
            ),
        },
        nominal_images_per_s=500, nominal_prepare_s=0.5,
    ),
    Framework(
        name="openvino", title="OpenVINO", backend="openvino", environment="openvino",
        form="onnx", distribution="openvino", module="openvino",
        other_forms=("savedmodel", "tflite"),
        precisions={"cpu": ("fp32", "bf16", "fp16", "int8", "int8-weights")},
        forms_by_precision={"int8": "openvino-int8", "int8-weights": "openvino-int8-weights"},
        nominal_images_per_s=560, nominal_prepare_s=0.8,
    ),
    Framework(
        name="jax", title="JAX, jit (a Keras model on JAX)", backend="jax", environment="jax",
        form="keras", distribution="jax", module="jax",
        precisions=_EVERYWHERE, forms_by_precision={"tf32": "keras", "fp16": "keras", "bf16": "keras"}, other_forms=("jaxexport",), modes=_PIPELINED, variants={"naive": _NAIVE_JAX},
        nominal_images_per_s=25, nominal_prepare_s=12,
    ),
    Framework(
        name="litert", title="LiteRT (TensorFlow Lite)", backend="litert", environment="litert",
        form="tflite", distribution="ai-edge-litert", module="ai_edge_litert",
        precisions={"cpu": ("fp32", "int8", "int8-weights")},
        forms_by_precision={"int8": "tflite-int8", "int8-weights": "tflite-int8-weights"}, nominal_images_per_s=580, nominal_prepare_s=0.3,
    ),
    Framework(
        name="opencv", title="OpenCV DNN", backend="opencv", environment="opencv",
        form="onnx", distribution="opencv-python-headless", module="cv2",
        precisions={"cpu": ("fp32",)}, nominal_images_per_s=300, nominal_prepare_s=0.5,
    ),
    Framework(
        name="mnn", title="MNN", backend="mnn", environment="mnn",
        form="onnx", distribution="MNN", module="MNN",
        precisions={"cpu": ("fp32",)}, nominal_images_per_s=420, nominal_prepare_s=0.6,
    ),
    Framework(
        name="ncnn", title="ncnn", backend="ncnn", environment="ncnn",
        form="onnx", distribution="ncnn", module="ncnn",
        precisions={"cpu": ("fp32",)}, nominal_images_per_s=350, nominal_prepare_s=1.3,
    ),
    Framework(
        name="onnxrt-tensorrt", title="ONNX Runtime, TensorRT provider", backend="onnxruntime", environment="onnxrt-tensorrt",
        form="onnx", distribution="onnxruntime", module="onnxruntime",
        options={"provider": "tensorrt"},
        precisions={"cuda": ("fp32", "tf32", "fp16")}, only_given=_NO_TENSORRT_LIBRARIES,
    ),
    Framework(
        name="tensorrt", title="TensorRT", backend="tensorrt", environment="tensorrt",
        form="onnx", distribution="tensorrt", module="tensorrt",
        precisions=_TENSORRT,
    ),
    Framework(
        name="tensorrt-rtx", title="TensorRT for RTX", backend="tensorrt", environment="tensorrt-rtx",
        form="onnx", distribution="tensorrt-rtx", module="tensorrt_rtx",
        options={"rtx": True}, precisions=_TENSORRT,
        capabilities=("7.5", "8.0", "8.6", "8.9", "12.0", "12.1"),
    ),
    Framework(
        name="torch-tensorrt", title="PyTorch, Torch-TensorRT", backend="torch_tensorrt", environment="torch-tensorrt",
        form="exported", distribution="torch-tensorrt", module="torch_tensorrt",
        precisions=_GPU_ONLY, only_given=_NO_TENSORRT_LIBRARIES,
    ),
    Framework(
        name="tftrt", title="TensorFlow with TensorRT", backend="tftrt", environment="tftrt",
        form="savedmodel", distribution="tensorflow", module="tensorflow",
        precisions={"cuda": ("fp32", "tf32", "fp16")}, variants={"naive": _NAIVE_TF},
        only_given=f"TF-TRT ended with TensorFlow 2.17, and {_NO_TENSORRT_LIBRARIES}",
    ),
)  # fmt: skip

FRAMEWORKS: Mapping[str, Framework] = {framework.name: framework for framework in _ALL}
ALL = tuple(name for name, framework in FRAMEWORKS.items() if not framework.named_only)  # what "all" means

__all__ = [
    "FRAMEWORKS",
    "Framework",
    "FrameworkChoice",
    "Variant",
    "environment_names",
    "find_framework",
    "parse_choice",
]
