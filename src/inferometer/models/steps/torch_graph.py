"""Makes an exported Keras model what a torch user would have written: the same operators, none in between.

Keras' torch backend, traced, asserts and casts every tensor, moves every kernel from HWIO to OIHW at each call, spells
batch norm out as five operators and adds biases apart. Timed as it is, that is Keras' overhead, and its casts pin it to
fp32 on the CPU. Here assertions and casts without effect go, what depends on weights alone is computed once, and
convolution and dense layers get their bias back. The caller checks the outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CASTS = ("aten.to.", "aten._to_copy.")
_RANDOM = ("rand", "dropout", "bernoulli", "multinomial", "normal")


@contextmanager
def native_batch_norm(torch: Any) -> Iterator[None]:
    """Let Keras' torch backend call torch's own batch norm while a model is traced."""
    from keras.src.backend.torch import nn

    def batch_normalization(  # noqa: PLR0917  (the signature it stands in for)
        x: Any,
        mean: Any,
        variance: Any,
        axis: int,
        offset: Any = None,
        scale: Any = None,
        epsilon: float = 1e-3,
    ) -> Any:
        if axis % x.ndim != 1:
            return spelled_out(x, mean, variance, axis, offset, scale, epsilon)
        values = [getattr(item, "value", item) for item in (mean, variance, scale, offset)]  # Keras variables
        return torch.nn.functional.batch_norm(x, *values, training=False, eps=epsilon)

    spelled_out = nn.batch_normalization
    nn.batch_normalization = batch_normalization
    try:
        yield
    finally:
        nn.batch_normalization = spelled_out


def tidy(torch: Any, program: Any) -> Any:
    """Return the program's graph module without what inference does not need."""
    module = program.module(check_guards=False)
    graph = module.graph
    _remove_checks_and_casts(graph)
    _fold(torch, module)
    _fuse_bias(torch, module)
    _own_constants(torch, module)
    graph.eliminate_dead_code()
    graph.lint()
    module.recompile()
    return module


def _remove_checks_and_casts(graph: Any) -> None:
    for node in list(graph.nodes):
        target = str(node.target)
        if target.startswith("aten._assert_tensor_metadata"):
            graph.erase_node(node)
        elif target.startswith(_CASTS) and _same_kind(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _same_kind(node: Any) -> bool:
    before, after = node.args[0].meta.get("val"), node.meta.get("val")
    if before is None or after is None:
        return False
    return bool((before.dtype, before.device, before.layout) == (after.dtype, after.device, after.layout))


def _fold(torch: Any, module: Any) -> None:
    """Compute once every operator whose tensors are all weights or constants."""
    for number, node in enumerate(list(module.graph.nodes)):
        sources = node.all_input_nodes
        if node.op != "call_function" or not sources or not _is_pure(node):
            continue
        if any(source.op != "get_attr" for source in sources):
            continue
        with torch.no_grad():
            value = node.target(
                *torch.fx.map_arg(node.args, lambda source: _attribute(module, source.target)),
                **torch.fx.map_arg(node.kwargs, lambda source: _attribute(module, source.target)),
            )
        if isinstance(value, torch.Tensor):
            _replace_by_constant(module, node, f"folded_{number}", value.detach().clone().contiguous())


def _is_pure(node: Any) -> bool:
    name = str(node.target)
    if not name.startswith("aten.") or any(word in name for word in _RANDOM):
        return False
    return not any(
        _writes(user) for user in [node, *node.users, *(u for s in node.all_input_nodes for u in s.users)]
    )


def _writes(node: Any) -> bool:
    """Return whether an operator changes its input in place (aten.add_.Tensor)."""
    return str(node.target).split(".")[1:2] != [] and str(node.target).split(".")[1].endswith("_")


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _replace_by_constant(module: Any, node: Any, name: str, value: Any) -> None:
    module.register_buffer(name, value)
    with module.graph.inserting_before(node):
        constant = module.graph.get_attr(name)
    constant.meta["val"] = value
    node.replace_all_uses_with(constant)
    module.graph.erase_node(node)


def _fuse_bias(torch: Any, module: Any) -> None:
    """Turn convolution + add, and matrix product + add, into the operators that take a bias."""
    aten = torch.ops.aten
    for node in list(module.graph.nodes):
        if node.target is not aten.add.Tensor or len(node.args) != 2 or node.kwargs:
            continue
        product, bias = node.args
        if getattr(bias, "op", "") != "get_attr" or getattr(product, "op", "") != "call_function":
            continue
        if len(product.users) != 1:
            continue
        value = _attribute(module, bias.target)
        if product.target is aten.conv2d.default and (len(product.args) < 3 or product.args[2] is None):
            _fuse_convolution(module, node, product, value)
        elif product.target is aten.matmul.default and product.args[1].op == "get_attr":
            _fuse_matmul(aten, module, node, product, value)


def _fuse_convolution(module: Any, node: Any, product: Any, bias: Any) -> None:
    channels = product.meta["val"].shape[1]
    if tuple(bias.shape) not in ((1, channels, 1, 1), (channels, 1, 1)):
        return
    constant = _constant_before(module, product, f"{node.name}_bias", bias.reshape(-1))
    product.args = (*product.args[:2], constant, *product.args[3:])
    node.replace_all_uses_with(product)
    module.graph.erase_node(node)


def _fuse_matmul(aten: Any, module: Any, node: Any, product: Any, bias: Any) -> None:
    weight = _attribute(module, product.args[1].target)
    if weight.ndim != 2 or bias.numel() != weight.shape[1] or bias.shape[-1] != weight.shape[1]:
        return
    constant = _constant_before(module, product, f"{node.name}_bias", bias.reshape(-1))
    kernel = _constant_before(module, product, f"{node.name}_weight", weight.t())
    with module.graph.inserting_before(product):
        dense = module.graph.call_function(aten.linear.default, (product.args[0], kernel, constant))
    dense.meta = dict(node.meta)
    node.replace_all_uses_with(dense)
    module.graph.erase_node(node)
    module.graph.erase_node(product)


def _own_constants(torch: Any, module: Any) -> None:
    """Make buffers of bare tensors: only parameters and buffers follow the module to another device or precision."""
    owned = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}
    for node in list(module.graph.nodes):
        if node.op == "get_attr" and node.target not in owned:
            value = _attribute(module, node.target)
            if isinstance(value, torch.Tensor):
                _replace_by_constant(
                    module, node, f"constant_{node.name}", value.detach().clone().contiguous()
                )


def _constant_before(module: Any, node: Any, name: str, value: Any) -> Any:
    module.register_buffer(name, value.detach().clone().contiguous())
    with module.graph.inserting_before(node):
        constant = module.graph.get_attr(name)
    constant.meta["val"] = value
    return constant
