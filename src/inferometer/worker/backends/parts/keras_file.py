"""A `.keras` file loaded as inference needs it: no weights are drawn before those of the file are read, and layers compute
in the wanted floating type.

Drawing a network's first weights, only to overwrite them, took 7 of the 8 s in which MobileNetV3-Large loads on JAX: each
shape's generator is compiled. So the file is loaded from a copy whose configuration names empty weights instead. A layer
that draws by a Keras initializer what is no weight of the file would compute otherwise, which the parity check would tell.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backends.parts.keras_precision import POLICIES, lowered
from inferometer.worker.failures import Unsupported

_CONFIG = "config.json"
_EMPTY: dict[str, Any] = {
    "module": None,
    "class_name": "Empty",
    "config": {},
    "registered_name": "inferometer>Empty",
}


def load(keras: Any, path: Path, precision: str, trust: bool) -> Any:
    """Return the model of a `.keras` file computing in ``precision``; Unsupported if its layers cannot be rebuilt so."""
    policy = POLICIES[precision]
    _register_empty(keras)
    with tempfile.TemporaryDirectory(prefix="inferometer-") as folder:
        copy = Path(folder) / "model.keras"
        copy_changed(path, copy, lambda config: lowered(_undrawn(config), policy))
        try:
            return keras.models.load_model(copy, compile=False, safe_mode=not trust)
        except (TypeError, ValueError, NotImplementedError) as error:
            if policy == "float32":
                raise
            text = " ".join(str(error).split())[:200]
            raise Unsupported(
                f"the Keras model cannot be rebuilt in {policy}: {type(error).__name__}: {text}"
            ) from error


def copy_changed(source: Path, target: Path, change: Callable[[Any], Any]) -> None:
    """Copy a `.keras` file, its configuration changed."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as written:
        for entry in read.infolist():
            if entry.filename == _CONFIG:
                written.writestr(entry.filename, json.dumps(change(json.loads(read.read(entry)))))
                continue
            with read.open(entry) as content, written.open(entry, "w", force_zip64=True) as copied:
                shutil.copyfileobj(content, copied, 1 << 20)


def _undrawn(config: Any) -> Any:
    """Return a config with every one of Keras' own initializers replaced."""
    if isinstance(config, list):
        return [_undrawn(value) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("module") == "keras.initializers":
        return dict(_EMPTY)
    return {key: _undrawn(value) for key, value in config.items()}


def _register_empty(keras: Any) -> None:
    """Make Keras know the initializer everywhere: some layers write and read their parts' configs while they are built."""

    class Empty(keras.initializers.Initializer):  # type: ignore[misc]
        """Zeros by numpy, which no backend compiles."""

        def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
            import ml_dtypes  # what JAX and TensorFlow store bfloat16 by

            kind = keras.backend.standardize_dtype(dtype)
            return np.zeros(shape, ml_dtypes.bfloat16 if kind == "bfloat16" else kind)

    keras.saving.register_keras_serializable("inferometer")(Empty)
