"""An exported program as a plain module: a part of the templates for torch."""

from __future__ import annotations

from typing import Any


def plain(torch: Any, program: Any, dtype: Any) -> Any:
    """Return a float32 program as a module of plain arguments, without the export's checks."""
    module = program.module()
    for node in reversed(list(module.graph.nodes)):
        if not node.users and (node.op in ("call_module", "get_attr") or "_assert" in str(node.target)):
            module.graph.erase_node(node)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    return torch.fx.GraphModule(module, module.graph).eval()
