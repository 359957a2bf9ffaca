"""An exported program as a module on any device, in any floating type."""

from __future__ import annotations

from typing import Any

# whose weights may be float32 beside half-precision values; CUDA's other norms want one type
_NORMS = {"cpu": ("batch_norm", "layer_norm", "group_norm", "instance_norm"), "cuda": ("batch_norm",)}
_CASTS = ("aten.to.", "aten._to_copy.")


def module_of(torch: Any, program: Any, device: Any, dtype: Any) -> Any:
    """Return the program as a module that takes tensors one by one and gives a tuple, on ``device`` in ``dtype``.

    Export writes the device and type of the export into operators that make or cast tensors; these are changed with
    the weights, types only where ``dtype`` is another than the model's. Weights of normalisation stay float32 where
    kernels for half precision take them.
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
    used = dict.fromkeys(node.target for node in graph.nodes if node.op == "get_attr")
    held = {name: _attribute(module, name).detach() for name in used}
    kinds = _kinds(torch, {value.dtype for value in held.values()}, dtype)
    _retarget(torch, graph, device, kinds)
    graph.set_codegen(torch.fx.graph.CodeGen())  # plain arguments instead of a tree of them
    normal = dict.fromkeys(kinds, torch.float32)
    weights = {
        name: value.to(device=device, dtype=(normal if name in wide else kinds).get(value.dtype, value.dtype))
        for name, value in held.items()
    }
    return torch.fx.GraphModule(weights, graph).eval()


def _kinds(torch: Any, held: set[Any], dtype: Any) -> dict[Any, Any]:
    """Return what becomes ``dtype``: float32, and halves or float64 where the weights (``held``) are of such a type.

    Others stay: a program that casts to float64 and back does so for its accuracy.
    """
    halves = {torch.float16, torch.bfloat16} if {torch.float16, torch.bfloat16} & held else set()
    doubles = (
        {torch.float64} if {kind for kind in held if kind.is_floating_point} == {torch.float64} else set()
    )
    return {kind: dtype for kind in {torch.float32, *halves, *doubles} if kind != dtype}


def _attribute(module: Any, target: str) -> Any:
    value = module
    for name in target.split("."):
        value = getattr(value, name)
    return value


def _drop_checks(graph: Any) -> None:
    """Remove checks of shapes and types, which hold for the export's own device only, and what nobody reads."""
    for node in reversed(list(graph.nodes)):
        check = node.op == "call_module" or "_assert" in str(node.target)
        if not node.users and (check or node.op == "get_attr"):
            graph.erase_node(node)


def _retarget(torch: Any, graph: Any, device: Any, kinds: dict[Any, Any]) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, torch.device):
            return device
        return kinds.get(value, value) if isinstance(value, torch.dtype) else value

    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        before, after = _type(node.args[0] if node.args else None), _type(node)
        cast = before and after and str(node.target).startswith(_CASTS)
        if kinds and cast and turned(before) == turned(after):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
            continue
        named = {"dtype": after, **node.kwargs} if after in kinds and _makes(node) else node.kwargs
        node.args = tuple(turned(value) for value in node.args)
        node.kwargs = {key: turned(value) for key, value in named.items()}


def _makes(node: Any) -> bool:
    """Return whether a node makes a tensor of no other, and so in torch's default type where it names none."""
    given = (getattr(each.meta.get("val"), "dtype", None) for each in node.all_input_nodes)
    return not any(given) and any(each.name == "dtype" for each in node.target._schema.arguments)


def _type(node: Any) -> Any:
    """Return the floating type of what a node gives, None for any other."""
    kind = getattr(getattr(node, "meta", {}).get("val"), "dtype", None)
    return kind if kind is not None and kind.is_floating_point else None
