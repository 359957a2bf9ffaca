"""An exported program as a module on any device, in any floating type."""

from __future__ import annotations

from typing import Any

# whose weights may be float32 beside half-precision values; CUDA's other norms want one type
_NORMS = {"cpu": ("batch_norm", "layer_norm", "group_norm", "instance_norm"), "cuda": ("batch_norm",)}


def module_of(torch: Any, program: Any, device: Any, dtype: Any) -> Any:
    """Return the program as a module that takes tensors one by one and gives a tuple, on ``device`` in ``dtype``.

    Export writes the device and type of the export into operators that make or cast tensors; these are changed with
    the weights. Weights of normalisation stay float32 where kernels for half precision take them.
    """
    module = program.module()
    graph = module.graph
    _drop_checks(graph)
    wide = {
        argument.target
        for node in graph.nodes
        if any(name in str(node.target) for name in _NORMS[device.type])
        for argument in node.all_input_nodes
        if argument.op == "get_attr"
    }
    _retarget(torch, graph, device, dtype)
    graph.set_codegen(torch.fx.graph.CodeGen())  # plain arguments instead of a tree of them
    used = dict.fromkeys(node.target for node in graph.nodes if node.op == "get_attr")
    weights = {
        name: _cast(_attribute(module, name), device, torch.float32 if name in wide else dtype)
        for name in used
    }
    return torch.fx.GraphModule(weights, graph).eval()


def _attribute(module: Any, target: str) -> Any:
    value = module
    for name in target.split("."):
        value = getattr(value, name)
    return value


def _cast(tensor: Any, device: Any, dtype: Any) -> Any:
    return tensor.detach().to(device=device, dtype=dtype if tensor.is_floating_point() else tensor.dtype)


def _drop_checks(graph: Any) -> None:
    """Remove checks of shapes and types, which hold for the export's own device only, and what nobody reads."""
    for node in reversed(list(graph.nodes)):
        check = node.op == "call_module" or "_assert" in str(node.target)
        if not node.users and (check or node.op == "get_attr"):
            graph.erase_node(node)


def _retarget(torch: Any, graph: Any, device: Any, dtype: Any) -> None:
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if (
            str(node.target).startswith(("aten.to.", "aten._to_copy."))
            and _is_floating(node.args[0])
            and _is_floating(node)
        ):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
            continue
        node.args = tuple(dtype if value is torch.float32 else value for value in node.args)
        keywords = {key: dtype if value is torch.float32 else value for key, value in node.kwargs.items()}
        if keywords.get("device") is not None:
            keywords["device"] = device
        node.kwargs = keywords


def _is_floating(node: Any) -> bool:
    value = getattr(node, "meta", {}).get("val")
    return value is not None and bool(value.is_floating_point())
