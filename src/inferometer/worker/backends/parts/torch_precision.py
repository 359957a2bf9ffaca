"""What a program computes in: the types that its convolutions and matrix products give, seen as they are called.

The output alone does not tell: under autocast CUDA's softmax gives float32 whatever was computed before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from inferometer.worker.flags import Flag, flag

_SHORT = {"float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}
_PRODUCTS = frozenset((
    "conv1d", "conv2d", "conv3d", "linear", "matmul", "mm", "bmm", "addmm", "addbmm", "baddbmm", "mv", "addmv", "dot",
    "inner", "tensordot", "einsum", "bilinear", "chain_matmul", "linalg_matmul", "linalg_multi_dot", "lstm", "gru",
    "rnn_tanh", "rnn_relu", "_scaled_mm", "_thnn_fused_lstm_cell", "_cudnn_rnn", "mkldnn_rnn_layer",
    "_native_multi_head_attention", "_flash_attention_forward", "_efficient_attention_forward",
))  # fmt: skip
_FAMILIES = ("convolution", "conv_t", "dot_product_attention", "conv_depthwise")  # in parts of a name


def computed_in(run: Callable[[], Any]) -> dict[str, int]:
    """Run a batch and return how many convolutions and products gave each floating type, as in {"bfloat16": 63}.

    An attention or a recurrent layer that torch calls as one operation counts once.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    counts: Counter[str] = Counter()

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        """Lets every operation through, and notes those that matter."""

        def __torch_dispatch__(self, function: Any, _types: Any, given: Any = (), named: Any = None) -> Any:
            result = function(*given, **(named or {}))
            if is_product(function._schema.name.partition("::")[2].rstrip("_")):
                first = result[0] if isinstance(result, (list, tuple)) else result
                if first.is_floating_point():
                    counts[str(first.dtype).rpartition(".")[2]] += 1
            return result

    with Watch():
        run()
    return dict(counts)


def traced_in(run: Callable[[list[Any]], Any], tensors: list[Any]) -> dict[str, int]:
    """Return the same of a program as a compiler traces it: on tensors of types and shapes only, so nothing is computed."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fakes = [mode.from_tensor(tensor) for tensor in tensors]
        return computed_in(lambda: run(fakes))


def precision_of(computed: dict[str, int], output_type: str, tf32: bool) -> str:
    """Return the precision of most products; of the output where a program has none. Float32 is tf32 where that is on."""
    main = max(computed, key=lambda kind: computed[kind]) if computed else output_type
    return _SHORT.get(main, "tf32" if tf32 else "fp32")


def flags(computed: dict[str, int]) -> list[Flag]:
    """Say which products differ from most."""
    most, *others = sorted(computed, key=lambda kind: -computed[kind]) or [""]
    total = sum(computed.values())
    return [
        flag("other-precision", count=computed[kind], total=total, precision=kind, most=most)
        for kind in others
    ]


def is_product(name: str) -> bool:
    """Return whether an operator, named without its namespace, is a convolution or a product of matrices."""
    return name in _PRODUCTS or any(family in name for family in _FAMILIES)
