"""An exported program as a plain module in a lower precision: a part of the templates for torch."""

from __future__ import annotations

from typing import Any

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm")  # whose weights stay float32


def plain(torch: Any, program: Any, dtype: Any) -> Any:
    """Return a program as a module of plain arguments, without the export's checks, weights in ``dtype``."""
    module = program.module()
    graph = module.graph
    for node in reversed(list(graph.nodes)):
        check = node.op in ("call_module", "get_attr") or "_assert" in str(node.target)
        if check and not node.users:
            graph.erase_node(node)
    norms = [node for node in graph.nodes if any(name in str(node.target) for name in NORMS)]
    wide = {given.target for node in norms for given in node.all_input_nodes if given.op == "get_attr"}
    for node in [node for node in graph.nodes if node.op == "call_function"]:
        values = [each.meta.get("val") for each in (node, *node.all_input_nodes[:1])]
        if str(node.target).startswith(("aten.to.", "aten._to_copy.")) and all(
            value is not None and value.is_floating_point() for value in values
        ):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
            continue
        node.args = tuple(dtype if value is torch.float32 else value for value in node.args)
        node.kwargs = {
            name: dtype if value is torch.float32 else value for name, value in node.kwargs.items()
        }
    graph.set_codegen(torch.fx.graph.CodeGen())
    weights = {}
    for name in dict.fromkeys(node.target for node in graph.nodes if node.op == "get_attr"):
        value = module
        for part in name.split("."):
            value = getattr(value, part)
        kept = torch.float32 if name in wide else dtype
        weights[name] = value.detach().to(kept if value.is_floating_point() else value.dtype)
    return torch.fx.GraphModule(weights, graph).eval()
