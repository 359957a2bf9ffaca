"""In which types XNNPACK multiplies matrices, read from the graphs that it was handed; elsewhere ExecuTorch's kernels use floats."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HEAVY = (
    "XNNConv2d",
    "XNNConvTranspose2d",
    "XNNDepthwiseConv2d",
    "XNNFullyConnected",
    "XNNBatchMatrixMultiply",
    "XNNScaledDotProductAttention",
)
_TYPES = {"qint8": "int8", "quint8": "uint8", "qdint8": "int8", "fp16": "float16"}  # of their first input
_ELSEWHERE = re.compile(r"convolution|addmm|(^|_)b?mm(_|$)|linear|matmul")


def look(program: Any, others: Mapping[str, int]) -> dict[str, int]:
    """Return how many products of a lowered program take each type, by numpy's names; ``others``: operators not in XNNPACK."""
    from executorch.exir.lowered_backend_module import get_lowered_submodules

    found: Counter[str] = Counter()
    for _, lowered, _ in get_lowered_submodules(program.graph_module):
        if lowered.backend_id == "XnnpackBackend":
            found.update(_types(_graph(lowered.processed_bytes)))
    found["float32"] += sum(count for kind, count in others.items() if _ELSEWHERE.search(kind))
    return dict(+found)


def _types(graph: dict[str, Any]) -> list[str]:
    values = [value["xvalue_union"] for value in graph["xvalues"]]
    plain = [value.get("tensor_value", value) for value in values]
    kinds = {value["id_out"]: value["datatype"].removeprefix("xnn_datatype_") for value in plain}
    heavy = (node["xnode_union"] for node in graph["xnodes"] if node["xnode_union_type"] in _HEAVY)
    first = (node.get("input1_id", node.get("query_id")) for node in heavy)
    return [_TYPES.get(kinds.get(place, ""), "float32") for place in first]


def _graph(payload: bytes) -> dict[str, Any]:
    """Return a graph that XNNPACK was handed: a header, and a flatbuffer that the compiler of ExecuTorch's own wheel reads."""
    from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize as serial
    from executorch.exir._serialize import _flatbuffer

    header = serial.XNNHeader.from_bytes(payload[: serial.XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    with tempfile.TemporaryDirectory() as folder:
        schema, file = Path(folder) / "schema.fbs", Path(folder) / "graph.bin"
        schema.write_bytes(serial._get_schema_bytes())
        file.write_bytes(payload[start : start + header.flatbuffer_size])
        _flatbuffer._flatc_decompile(folder, str(schema), str(file))
        text = (Path(folder) / "graph.json").read_text()
    graph: dict[str, Any] = json.loads(re.sub(r"\b(inf|nan)\b", "0", text))  # limits, which JSON has not
    return graph
