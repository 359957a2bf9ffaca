"""TensorFlow: a SavedModel or a Keras model under tf.function, or the Keras model as its users call it; with or without XLA."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Opening, Outputs
from inferometer.worker.backends.parts import keras_file, keras_precision, tf_placement, tf_transfer
from inferometer.worker.backends.parts.keras_inputs import packer
from inferometer.worker.failures import Unsupported
from inferometer.worker.flags import Flag, flag


class Runtime(Backend):
    """Options: `xla` compiles with jit_compile=True; `function` puts a Keras model under tf.function, as a SavedModel is.

    `naive` makes a tensor of every batch as `tf.constant` does, instead of sharing or page-locking memory.
    A SavedModel exists in float32; lower precisions come from the Keras model with its dtype policies rewritten.
    """

    def __init__(self, opening: Opening) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        import tensorflow

        self._tf = tensorflow
        self._opening = opening
        _refuse(opening)
        self._configure()
        self._xla = bool(opening.options.get("xla"))
        self._resident = opening.mode == "device"
        self._model: Any = None
        self._call = self._load_keras() if opening.form == "keras" else self._load_saved_model()
        self._host = tf_transfer.host_path(tensorflow, opening)
        self._last: Any = None
        self._placement: tf_placement.Placement | None = None

    def _configure(self) -> None:
        config = self._tf.config
        config.threading.set_intra_op_parallelism_threads(self._opening.threads)
        config.threading.set_inter_op_parallelism_threads(1)
        config.experimental.enable_tensor_float_32_execution(self._opening.precision == "tf32")
        config.set_soft_device_placement(True)  # string and shape operations have no GPU kernel
        gpus = config.list_physical_devices("GPU")
        if self._opening.device == "cuda" and not gpus:
            raise Unsupported(
                f"tensorflow {self._tf.__version__} sees no GPU: its CUDA libraries did not load"
            )
        for gpu in gpus:
            config.experimental.set_memory_growth(gpu, True)

    def _load_saved_model(self) -> Any:
        with self._device():
            loaded = self._tf.saved_model.load(str(self._opening.path))
        signature = loaded.signatures["serving_default"]
        keys = list(self._opening.output_names) or list(signature.structured_outputs)
        names = list(self._opening.input_names)

        def infer(*tensors: Any) -> Any:
            results = signature(**dict(zip(names, tensors)))
            return [results[key] for key in keys]

        self._loaded = loaded  # the signature holds no reference to its variables
        return self._tf.function(infer, jit_compile=self._xla or None, autograph=False)

    def _load_keras(self) -> Any:
        import keras

        options = self._opening.options
        with self._device():
            model = keras_file.load(
                keras, self._opening.path, self._opening.precision, bool(options.get("trust"))
            )
        self._model = model
        pack = packer(keras, model)

        def infer(*tensors: Any) -> Any:
            return model(pack(tensors), training=False)

        if self._xla or options.get("function"):
            # what Keras' own predict step does under jit_compile, without its per-call callbacks
            return self._tf.function(infer, jit_compile=self._xla or None, autograph=False)
        if options.get("predict"):
            return lambda *tensors: model.predict_on_batch(pack(tensors))
        return infer

    def prepare(self, batch: Batch) -> None:
        """Trace, compile and allocate for this shape and the type that this mode feeds; the first tells where nodes run."""
        placed = self.place(batch) if self._resident else self._tensors(batch)
        if self._placement is None:
            self._placement = self._watched(lambda: self.run_resident(placed))
        else:
            self.run_resident(placed)
        self.synchronise()
        if not self._resident:
            self.fetch(self._last)

    def _watched(self, run: Callable[[], Any]) -> tf_placement.Placement:
        options, wanted = self._opening.options, "GPU:0" if self._opening.device == "cuda" else "CPU:0"
        predict = bool(options.get("predict"))
        if self._opening.form == "keras" and not (self._xla or options.get("function") or predict):
            return tf_placement.of_calls(wanted, run)
        return tf_placement.of_function(wanted, run, self._xla or (predict and bool(self._model.jit_compile)))

    def run(self, batch: Batch) -> Outputs:
        """Copy in, infer, copy out."""
        return self.fetch(self.run_resident(self._tensors(batch)))

    def _tensors(self, batch: Batch) -> Any:
        with self._device():
            return self._host.send(batch)

    def place(self, batch: Batch) -> Any:
        """Return the batch as tensors on the device, in the type that the model takes."""
        wanted = [value.dtype for value in self._model.inputs] if self._model else [None] * len(batch)
        with self._device():
            tensors = [self._tf.identity(self._tf.convert_to_tensor(array)) for array in batch]
            return [self._tf.cast(tensor, kind) if kind else tensor for tensor, kind in zip(tensors, wanted)]

    def run_resident(self, placed: Any) -> Any:
        """Return output tensors."""
        with self._device():
            self._last = self._call(*placed)
        return self._last

    def synchronise(self) -> None:
        """Wait for the device: TensorFlow runs GPU work in order on one stream."""
        if self._opening.device != "cuda":
            return
        synchronise = getattr(getattr(self._tf.test, "experimental", None), "sync_devices", None)
        if synchronise:
            synchronise()
        else:
            for tensor in _flat(self._last):
                np.asarray(tensor)

    def fetch(self, resident: Any) -> Outputs:
        """Return outputs as numpy; half precisions become float32 where they lie."""
        return [np.asarray(self._widened(value)) for value in _flat(resident)]

    def _widened(self, value: Any) -> Any:
        half = _type_name(value) in ("float16", "bfloat16")
        return self._tf.cast(value, self._tf.float32) if half else value

    def phases(self, batch: Batch) -> dict[str, float]:
        """Return phases by host timers."""
        send = self.place if self._resident else self._tensors
        return phases.timed(lambda: send(batch), self.run_resident, self.synchronise, self.fetch)

    def _device(self) -> Any:
        return self._tf.device("/GPU:0" if self._opening.device == "cuda" else "/CPU:0")

    def actual(self) -> dict[str, Any]:
        """Read back where output and variables lie, the layers' types, the TF32 switch and the threads."""
        tf, tensor = self._tf, _flat(self._last)[0]
        # predict_on_batch gives numpy: then the variables tell where the work was done
        device = "" if isinstance(tensor, np.ndarray) else str(tensor.device)
        kind = "cuda" if "GPU" in (device or str(self._variables_on())) else "cpu"
        tf32 = kind == "cuda" and tf.config.experimental.tensor_float_32_execution_enabled()
        return {
            "device": kind,
            "precision": keras_precision.precision_of(self._model, tf32)
            if self._model
            else ("tf32" if tf32 else "fp32"),
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "version": tf.__version__,
            "versions": {
                "tensorflow": tf.__version__,
                "keras": _keras_version(),
                "numpy": np.__version__,
                **self._build(),
            },
            "details": {
                "xla": self._xla,
                "output_device": device,
                "variables_on": self._variables_on(),
                **(self._placement.details() if self._placement else {}),
                **({"computes_in": keras_precision.computed_in(self._model)} if self._model else {}),
            },
        }

    def _build(self) -> dict[str, str]:
        build = self._tf.sysconfig.get_build_info()
        return {
            name: str(build[key])
            for name, key in (("cuda", "cuda_version"), ("cudnn", "cudnn_version"))
            if key in build
        }

    def _variables_on(self) -> dict[str, int]:
        owner = self._model if self._model is not None else self._loaded
        variables = (
            owner.weights if self._model is not None else owner.signatures["serving_default"].variables
        )
        counts: dict[str, int] = {}
        for variable in variables:
            place = str(getattr(getattr(variable, "value", variable), "device", "")) or str(
                getattr(variable, "device", "")
            )
            name = place.rpartition("device:")[2] or place
            counts[name] = counts.get(name, 0) + 1
        return counts

    def flags(self) -> list[Flag]:
        """Say which nodes and variables are on the CPU though the device is a GPU, and what kept batches from page-locked memory."""
        away = self._variables_on().get("CPU:0", 0) if self._opening.device == "cuda" else 0
        placed = self._placement.flags() if self._placement else []
        weights = [flag("weights-elsewhere", count=away, device="CPU:0")] if away else []
        return [*placed, *weights, *self._host.flags()]

    def device_peak_bytes(self) -> int | None:
        """Return the BFC allocator's peak."""
        if self._opening.device != "cuda":
            return None
        return int(self._tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def reset_device_peak(self) -> None:
        """Begin a new peak."""
        if self._opening.device == "cuda":
            self._tf.config.experimental.reset_memory_stats("GPU:0")

    def release(self) -> None:
        """Drop the last outputs and staging buffers."""
        self._last = None
        self._host.release()


def _refuse(opening: Opening) -> None:
    if opening.precision not in keras_precision.POLICIES:
        raise Unsupported(
            f"tensorflow is driven in {', '.join(keras_precision.POLICIES)}, not {opening.precision}"
        )
    if opening.precision == "tf32" and opening.device == "cpu":
        raise Unsupported("tf32 exists on NVIDIA GPUs only")
    if opening.form == "savedmodel" and opening.precision in ("fp16", "bf16"):
        raise Unsupported(f"a SavedModel computes in float32; {opening.precision} needs the Keras file")


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):  # by key, as every flattening of Keras', TensorFlow's and JAX's has it
        return [leaf for key in sorted(value) for leaf in _flat(value[key])]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _type_name(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _keras_version() -> str:
    import keras

    return str(keras.__version__)
