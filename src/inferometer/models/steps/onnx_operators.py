"""Operators that onnx2torch lacks, registered with it."""

from __future__ import annotations

from typing import Any


def register(torch: Any) -> None:
    """Let onnx2torch convert Gelu and GlobalMaxPool.

    Gelu is of opset 20, and is looked for by the opset that a model was lowered to.
    """
    from onnx2torch.node_converters.registry import add_converter
    from onnx2torch.utils.common import OperationConverterResult, onnx_mapping_from_node

    class GlobalMaxPool(torch.nn.Module):  # type: ignore[misc]
        def forward(self, images: Any) -> Any:
            return images.amax(tuple(range(2, images.ndim)), keepdim=True)

    makers = {
        ("Gelu", 17): lambda node: torch.nn.GELU(approximate=node.attributes.get("approximate", "none")),
        ("GlobalMaxPool", 1): lambda node: GlobalMaxPool(),
    }
    for (kind, version), make in makers.items():

        def convert(node: Any, graph: Any, make: Any = make) -> Any:
            return OperationConverterResult(
                torch_module=make(node), onnx_mapping=onnx_mapping_from_node(node=node)
            )

        add_converter(operation_type=kind, version=version)(convert)
