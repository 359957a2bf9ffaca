"""Environment `tf`: build or load the Keras model, give it weights, save it, and compute the reference outputs.

Request
    application   {"module", "attribute", "size"} of keras.applications, or None
    file          path of a `.keras` file, where there is no application
    weights       "random", "imagenet", "file" (those in `file`), or "path" (those in `weights_file`)
    weights_file  path, or None
    seed, trust, shapes, ranges
    images        .npz with `images`, float32 NHWC RGB 0..255 (application); or None
    inputs        .npz with one array per input; or None
    more          .npz like `images` or `inputs` with rows for checks only; or None
    out           directory for model.keras, inputs.npz, reference.npz, check.npz and what `checks` writes
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import checks, drawn, hdf5_guard, kerasfile, refusals, tensors, tf_size
from inferometer.models.steps.refusals import refusing


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, hash and versions of the saved model; its files lie in ``out``."""
    keras = kerasfile.start("tensorflow")
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(int(request["seed"]))
    model = built(keras, request)
    specs = kerasfile.input_specs(model, request["shapes"])
    arrays = _data(keras, model, specs, request)
    drawn_by = f"seed {request['seed']}" if request["application"] and request["weights"] == "random" else ""
    if drawn_by:
        recalibrate(keras, model, list(arrays.values()))
    out = Path(request["out"])
    outputs = _outputs(model, arrays, specs)
    model.save(out / "model.keras")
    reloaded = _outputs(kerasfile.load(str(out / "model.keras"), request["trust"]), arrays, specs)
    tensors.write_rows(out, arrays, outputs, reloaded)
    made = checks.Reference(
        arrays, outputs, _computing(model, specs), tensors.batch_of(specs),
        lambda count: _more(keras, model, specs, request, count), _ways(model, specs),
    )  # fmt: skip
    return {
        "checks": made.write(out),
        "drawn": drawn.words(request, specs, kerasfile.table_sizes(model, specs)),
        **stored(model),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=tensors.batch_of(specs)),
        "hash": kerasfile.weights_hash(model, drawn_by),
        **size(model, specs),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def built(keras: Any, request: dict[str, Any]) -> Any:
    """Return the model that a request names, with its weights; ValueError (one line) for what cannot be loaded."""
    return _application(keras, request) if request["application"] else _file(request)


def size(model: Any, specs: list[tensors.Spec]) -> dict[str, int | None]:
    """Return `parameters`, and `macs` of one row."""
    import tensorflow as tf

    call = kerasfile.caller(model)
    found = tf_size.size(tf, lambda *inputs: call(inputs), specs)
    return {**found, "parameters": int(model.count_params())}


def _application(keras: Any, request: dict[str, Any]) -> Any:
    application, weights = request["application"], request["weights"]
    build = getattr(keras.applications, application["attribute"])
    size = int(application["size"])
    source = "imagenet" if weights == "imagenet" else None
    try:
        model = build(weights=source, classifier_activation=None, input_shape=(size, size, 3))
    except Exception as error:
        if source is None:
            raise
        raise ValueError(
            f"cannot fetch the imagenet weights of {application['attribute']} (no network?): {refusals.line(error)}; "
            "download them elsewhere and give --weights FILE"
        ) from error
    if weights == "path":
        _load_weights(model, request["weights_file"])
    return model


def _load_weights(model: Any, path: str) -> None:
    hdf5_guard.check(Path(path))
    with refusing(f"cannot load {Path(path).name} as weights of {model.name} (with its 1000 classes on top)"):
        model.load_weights(path)


def _file(request: dict[str, Any]) -> Any:
    hdf5_guard.check(Path(request["file"]))
    model = kerasfile.load(request["file"], request["trust"])
    if request["weights"] == "path":
        _load_weights(model, request["weights_file"])
    return model


def _data(keras: Any, model: Any, specs: list[tensors.Spec], request: dict[str, Any]) -> dict[str, Any]:
    if request["inputs"]:
        return tensors.read_npz(request["inputs"], specs)
    if not request["images"]:
        return tensors.generate(
            specs, request["ranges"], request["seed"], kerasfile.table_sizes(model, specs)
        )
    return {specs[0]["name"]: _preprocessed(keras, request, request["images"])}


def _preprocessed(keras: Any, request: dict[str, Any], path: str, count: int | None = None) -> Any:
    with np.load(path, allow_pickle=False) as file:
        images = file["images"][:count]
    module = getattr(keras.applications, request["application"]["module"])
    return np.asarray(module.preprocess_input(images.copy()), np.float32)


def _more(
    keras: Any, model: Any, specs: list[tensors.Spec], request: dict[str, Any], count: int
) -> dict[str, Any]:
    """Return at most ``count`` rows for checks only: of photos' parts, or generated; none beside the user's own rows."""
    if request["more"] and request["images"]:
        return {specs[0]["name"]: _preprocessed(keras, request, request["more"], count)}
    if request["more"]:
        return {name: array[:count] for name, array in tensors.read_npz(request["more"], specs).items()}
    given = request["inputs"] or request["images"]
    seed, sizes = [int(request["seed"]), 1], kerasfile.table_sizes(model, specs)
    drawn = tensors.generate(specs, request["ranges"], seed, sizes, least=max(count, 1))
    return {name: array[: 0 if given else count] for name, array in drawn.items()}


def recalibrate(keras: Any, model: Any, arrays: list[Any]) -> None:
    """Set every batch-norm layer's statistics to those of ``arrays``, in one pass.

    Untrained weights shrink activations layer by layer, to 1e-10 in MobileNetV3-Large, where parity is blind and
    denormals distort speed. In one training-mode pass with momentum 0 each layer normalises by, and keeps, the
    statistics of this very batch; dropout and stochastic depth are switched off meanwhile.
    """
    layers = list(model._flatten_layers(include_self=False, recursive=True))
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    saved = [
        (layer, name, getattr(layer, name)) for layer in layers for name in ("rate",) if hasattr(layer, name)
    ]
    saved += [(layer, "momentum", layer.momentum) for layer in norms]
    for layer, name, _ in saved:
        setattr(layer, name, 0.0)
    model(arrays if len(arrays) > 1 else arrays[0], training=True)
    for layer, name, value in saved:
        setattr(layer, name, value)


def _outputs(model: Any, arrays: dict[str, Any], specs: list[tensors.Spec]) -> list[Any]:
    return _computing(model, specs)(arrays, None)


def _computing(model: Any, specs: list[tensors.Spec], graph: bool = True) -> checks.Compute:
    """Return how the reference is computed: as one graph; or operator by operator, with no optimisation of a graph."""
    import tensorflow as tf

    call = kerasfile.caller(model)
    function = tf.function(call, autograph=False) if graph else call
    fixed = tensors.batch_of(specs)

    def compute(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        return tensors.run_in_chunks(
            lambda batch: [output.numpy() for output in function([tf.constant(array) for array in batch])],
            list(arrays.values()),
            fixed or chunk,
        )

    return compute


def _ways(model: Any, specs: list[tensors.Spec]) -> dict[str, checks.Compute]:
    """Return other ways to the reference; those that move weights put them back."""
    usual = _computing(model, specs)

    def moving(bits: int) -> checks.Compute:
        def compute(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            kept = model.get_weights()
            model.set_weights([checks.moved(weight, bits, place) for place, weight in enumerate(kept)])
            try:
                return usual(checks.moved_rows(arrays, bits), chunk)
            finally:
                model.set_weights(kept)

        return compute

    eager = {"optimised": _computing(model, specs, graph=False)}
    return {**eager, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}


def stored(model: Any) -> dict[str, Any]:
    """Return `stored`, the coarsest precision inside ("" for fp32), and below fp32 `holds`: kind -> layers with weights."""
    layers = list(model._flatten_layers(include_self=False, recursive=True))
    kinds = Counter(_kind(layer) for layer in layers if layer.weights and not layer._layers)
    found = {kind.partition("-")[0] for kind in (*kinds, *map(_kind, layers))}
    coarsest = next((kind for kind in ("int4", "int8", "bf16", "fp16") if kind in found), "")
    return {
        "stored": "int8" if coarsest == "int4" else coarsest,
        **({"holds": kinds} if coarsest else {}),
    }


def _kind(layer: Any) -> str:
    """Return in which type a layer computes: Keras quantises the values too at int8, and weights alone at int4."""
    mode = getattr(layer, "quantization_mode", None) or ""
    if mode in ("int8", "int4"):
        return "int8" if mode == "int8" else "int4-weights"
    computed = str(getattr(layer, "compute_dtype", ""))
    return {"bfloat16": "bf16", "float16": "fp16"}.get(computed, "fp32")
