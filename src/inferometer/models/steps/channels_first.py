"""A Keras model that takes NHWC images as the same model in NCHW, which is what torch and ONNX run natively.

Every layer is cloned with `data_format` and `axis` moved; kernels keep their shape in Keras, so weights are copied as
they are. A layer that is not known to be convertible ends the attempt with its name (the model is then exported as
built); the caller checks the outputs in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# layers that treat every element alike, or never see an image
_ELEMENTWISE = {
    "Activation", "Add", "Average", "CustomScaleLayer", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU",
    "Maximum", "Minimum", "Multiply", "ReLU", "SpatialDropout2D", "Subtract",
}  # fmt: skip
_OPERATIONS = {"Add", "Subtract", "Multiply", "TrueDivide", "Divide", "Relu", "Relu6", "Sigmoid", "Silu", "HardSigmoid",
               "HardSwish", "HardSilu", "Gelu", "Tanh", "Maximum", "Minimum"}  # fmt: skip
_AXIS = {"BatchNormalization", "Concatenate"}
_CHANNELS = 3  # of NHWC


class CannotConvertError(ValueError):
    """A layer has no known channels-first form; the text says which and why."""


def convert(keras: Any, model: Any) -> Any:
    """Return the NCHW twin of a functional or sequential model; CannotConvertError if a layer stands in the way."""
    inputs = list(model.inputs)
    if not any(len(tensor.shape) == 4 for tensor in inputs):
        raise CannotConvertError("the model takes no images")
    if any(len(tensor.shape) > 2 for tensor in model.outputs):
        raise CannotConvertError("an output has more than two dimensions")
    twins: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        twin = _twin(keras, layer)
        twins.append((layer, twin))
        return twin

    converted = keras.models.clone_model(model, input_tensors=_new_inputs(keras, model), clone_function=clone)
    for layer, twin in twins:
        if getattr(layer, "weights", None):
            twin.set_weights(layer.get_weights())
    return converted


def _new_inputs(keras: Any, model: Any) -> Any:
    def new(tensor: Any) -> Any:
        shape = tensor.shape
        if len(shape) == 4:
            shape = (shape[0], shape[3], shape[1], shape[2])
        return keras.Input(batch_shape=shape, dtype=tensor.dtype, name=tensor.name)

    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        return [new(tensor) for tensor in model.inputs]
    return keras.tree.map_structure(new, structure)


def _twin(keras: Any, layer: Any) -> Any:
    if isinstance(layer, keras.Model):
        raise CannotConvertError(f"'{layer.name}' is a model within the model")
    if not isinstance(layer, keras.layers.Layer):
        return _operation(layer)
    config = layer.get_config()
    kind = type(layer).__name__
    if "data_format" in config:
        if config["data_format"] == "channels_first":
            raise CannotConvertError(f"'{layer.name}' is channels_first already")
        config["data_format"] = "channels_first"
    elif _sees_image(layer):
        _RULES.get(kind, _refuse)(layer, config)
    elif kind == "Reshape" and len(config["target_shape"]) == 3:
        _reshape(layer, config)
    return type(layer).from_config(config)


def _operation(layer: Any) -> Any:
    if type(layer).__name__ not in _OPERATIONS and (
        _sees_image(layer)
        or any(len(tensor.shape) == 4 for node in layer._inbound_nodes for tensor in node.outputs)
    ):
        raise CannotConvertError(
            f"operation '{layer.name}' ({type(layer).__name__}) may depend on the channel axis"
        )
    return type(layer).from_config(layer.get_config())


def _sees_image(layer: Any) -> bool:
    return any(len(tensor.shape) == 4 for node in layer._inbound_nodes for tensor in node.input_tensors)


def _move_axis(layer: Any, config: dict[str, Any]) -> None:
    axis = config["axis"]
    single = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if single not in (-1, _CHANNELS):
        raise CannotConvertError(f"'{layer.name}' works along axis {axis}, not along the channels")
    config["axis"] = 1


def _rescale(layer: Any, config: dict[str, Any]) -> None:
    if not all(isinstance(config[name], (int, float)) for name in ("scale", "offset")):
        raise CannotConvertError(f"'{layer.name}' rescales each channel differently")


def _reshape(layer: Any, config: dict[str, Any]) -> None:
    """Reshape between (C,) and (1, 1, C): the order of the elements is the same in both layouts."""
    target = list(config["target_shape"])
    shapes = [tuple(tensor.shape) for node in layer._inbound_nodes for tensor in node.input_tensors]
    if all(len(shape) == 2 or tuple(shape[1:3]) == (1, 1) for shape in shapes):
        if len(target) == 1:
            return
        if target[:2] == [1, 1]:
            config["target_shape"] = [target[2], 1, 1]
            return
    raise CannotConvertError(f"'{layer.name}' reshapes {shapes[0]} to {tuple(target)}")


def _keep(layer: Any, config: dict[str, Any]) -> None:
    pass


def _refuse(layer: Any, config: dict[str, Any]) -> None:
    raise CannotConvertError(
        f"layer '{layer.name}' ({type(layer).__name__}) has no known channels-first form"
    )


_RULES: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    **dict.fromkeys(_ELEMENTWISE, _keep),
    **dict.fromkeys(_AXIS, _move_axis),
    "Normalization": _move_axis,
    "Rescaling": _rescale,
    "Reshape": _reshape,
}
