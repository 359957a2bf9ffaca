"""How a Keras model wants its inputs arranged: one tensor, a list, a dict or a nest of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def packer(keras: Any, model: Any) -> Callable[[Sequence[Any]], Any]:
    """Return ``f(tensors)`` that arranges tensors, given in the order of `model.inputs`, as the model declares them."""
    structure = getattr(model, "_inputs_struct", None)  # a Sequential model has none

    def pack(tensors: Sequence[Any]) -> Any:
        if structure is not None:
            return keras.tree.pack_sequence_as(structure, list(tensors))
        return tensors[0] if len(tensors) == 1 else list(tensors)

    return pack
