"""TensorFlow: a SavedModel under tf.function, or a Keras model as its users call it; both with or without XLA."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.failures import Unsupported


class Runtime(Backend):
    """Options: `xla` compiles with jit_compile=True; the artifact's form says whether Keras is in the call."""

    def __init__(self, opening: Opening) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        import tensorflow

        self._tf = tensorflow
        self._opening = opening
        if opening.precision not in ("fp32", "tf32"):
            raise Unsupported(
                f"tensorflow runs the artifact as it is, in fp32; {opening.precision} needs an artifact of its own"
            )
        if opening.precision == "tf32" and opening.device == "cpu":
            raise Unsupported("tf32 exists on NVIDIA GPUs only")
        self._configure()
        self._xla = bool(opening.options.get("xla"))
        self._call = self._load_keras() if opening.form == "keras" else self._load_saved_model()
        self._last: Any = None

    def _configure(self) -> None:
        config = self._tf.config
        config.threading.set_intra_op_parallelism_threads(self._opening.threads)
        config.threading.set_inter_op_parallelism_threads(1)
        config.experimental.enable_tensor_float_32_execution(self._opening.precision == "tf32")
        gpus = config.list_physical_devices("GPU")
        if self._opening.device == "cuda" and not gpus:
            raise Unsupported(
                f"tensorflow {self._tf.__version__} sees no GPU: its CUDA libraries did not load"
            )
        for gpu in gpus:
            config.experimental.set_memory_growth(gpu, True)

    def _load_saved_model(self) -> Any:
        loaded = self._tf.saved_model.load(str(self._opening.path))
        signature = loaded.signatures["serving_default"]
        keys = list(self._opening.output_names) or list(signature.structured_outputs)
        names = list(self._opening.input_names)

        def infer(*tensors: Any) -> Any:
            results = signature(**dict(zip(names, tensors)))
            return [results[key] for key in keys]

        self._loaded = loaded  # the signature holds no reference to its variables
        return self._tf.function(infer, jit_compile=self._xla or None)

    def _load_keras(self) -> Any:
        import keras

        model = keras.models.load_model(
            self._opening.path, compile=False, safe_mode=not self._opening.options.get("trust")
        )
        single = len(model.inputs) == 1
        if self._xla:
            # what Keras' own predict step does under jit_compile=True, without its per-call callbacks
            return self._tf.function(
                lambda *x: model(x[0] if single else list(x), training=False), jit_compile=True
            )
        if self._opening.options.get("predict"):
            return lambda *x: model.predict_on_batch(x[0] if single else list(x))
        return lambda *x: model(x[0] if single else list(x), training=False)

    def prepare(self, batch: Batch) -> None:
        """Trace, compile and allocate for this shape."""
        self.run(batch)

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(self.place(batch)))

    def place(self, batch: Batch) -> Any:
        """Return the batch as tensors on the device."""
        with self._tf.device(self._device_name()):
            return [self._tf.constant(array) for array in batch]

    def run_resident(self, placed: Any) -> Any:
        """Return output tensors."""
        with self._tf.device(self._device_name()):
            self._last = self._call(*placed)
        return self._last

    def synchronise(self) -> None:
        """Wait for the device: TensorFlow runs GPU work in order, so the last output's arrival is the end."""
        if self._opening.device == "cuda":
            for tensor in _flat(self._last):
                tensor.numpy()

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy."""
        return [np.asarray(value) for value in _flat(resident)]

    def _device_name(self) -> str:
        return "/GPU:0" if self._opening.device == "cuda" else "/CPU:0"

    def actual(self) -> dict[str, Any]:
        """Read back the output's device, the TF32 switch and the threads."""
        tensor = _flat(self._last)[0]
        device = "cuda" if "GPU" in getattr(tensor, "device", "") else "cpu"
        tf32 = device == "cuda" and self._tf.config.experimental.tensor_float_32_execution_enabled()
        version = self._tf.__version__
        return {
            "device": device,
            "precision": "tf32"
            if tf32
            else {"float16": "fp16", "bfloat16": "bf16"}.get(_type_name(tensor), "fp32"),
            "threads": self._tf.config.threading.get_intra_op_parallelism_threads(),
            "version": version,
            "versions": {"tensorflow": version, "keras": _keras_version(), "numpy": np.__version__},
            "details": {"xla": self._xla, "output_device": str(getattr(tensor, "device", ""))},
        }

    def device_peak_bytes(self) -> int | None:
        """Return the BFC allocator's peak."""
        if self._opening.device != "cuda":
            return None
        return int(self._tf.config.experimental.get_memory_info("GPU:0")["peak"])


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _type_name(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _keras_version() -> str:
    import keras

    return str(keras.__version__)
