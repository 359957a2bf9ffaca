"""SavedModel folders of strangers: their operators, found in the file before any of them runs (initialisers run on loading)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# operators with a state that stays inside the model: variables, tables, calls, control flow, random numbers
_INSIDE = re.compile(
    r"VarHandleOp|VarIsInitializedOp|VarIsInitialized\w*|\w*Variable\w*|Resource\w+|DisableCopyOnRead|DestroyResourceOp|"
    r"\w*HashTable\w*|LookupTable\w+|InitializeTable\w*|AnonymousMutable\w+|StatefulPartitionedCall|StatefulRandom\w*|"
    r"StatefulStandardNormal\w*|StatefulTruncatedNormal|StatefulUniform\w*|If|While|Case|Random\w+|TruncatedNormal|"
    r"Parameterized\w+|Multinomial|RestoreV2|Assert|Placeholder\w*|NoOp|TensorArray\w*|Stack\w*|RngSkip\w*|RngReadAndSkip\w*"
)
# what TensorFlow takes for stateless, and reads, writes, connects, or runs what it finds in a string or in the process
_OUTSIDE = re.compile(
    r"ReadFile|MatchingFiles|PyFuncStateless|ImmutableConst|GenerateVocabRemapping|(Encode|Decode)Proto\w*|\w*Dataset\w*|Abort|"
    r"Debug(Identity|NanCount|NumericSummary)\w*|Copy|CopyHost|XlaCustomCall\w*|MlirPassthroughOp"
)
_SAVING = frozenset(("SaveV2", "MergeV2Checkpoints"))


def check(folder: Path) -> None:
    """Raise ValueError (one line) for an operator that reaches out of the model, or a file that is no SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's DecodeError, OSError
        text = " ".join(str(error).split())
        raise ValueError(f"{folder.name} cannot be loaded as a SavedModel: {text[:200]}") from error
    operators = {op for graph in model.meta_graphs for op in _operators(graph, len(model.meta_graphs) == 1)}
    if outside := sorted(op for op in operators if _reaches_out(op)):
        raise ValueError(
            f"{folder.name} has operator {outside[0]}, which reaches out of the model; give --trust-model if you trust it"
        )
    for asset in (asset.filename for graph in model.meta_graphs for asset in graph.asset_file_def):
        if Path(asset).is_absolute() or ".." in Path(asset).parts:
            raise ValueError(
                f"{folder.name} has {asset[:200]} for an asset, which lies outside of it; give --trust-model if you trust it"
            )


def _operators(graph: Any, alone: bool) -> set[str]:
    """Return the kinds of operator in a graph and its functions, but for those that save in what only its saver calls.

    The saver never runs where a graph is ``alone`` and has objects: TensorFlow loads those, and what they name.
    """
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    saving = _saving(graph, functions) if alone and graph.HasField("object_graph_def") else set()
    kinds = {node.op for node in graph.graph_def.node}
    for name, function in functions.items():
        own = {node.op for node in function.node_def}
        kinds |= own - _SAVING if name in saving else own
    return kinds


def _saving(graph: Any, functions: Mapping[str, Any]) -> set[str]:
    """Return the functions that the saver's node calls, and nothing else names."""
    saver = graph.saver_def.save_tensor_name.partition(":")[0]
    nodes = [
        *(node for node in graph.graph_def.node if node.name != saver),
        *(node for function in functions.values() for node in function.node_def),
    ]
    other = {name for node in nodes for name in _called(node)}
    other |= {each.gradient_func for each in graph.graph_def.library.gradient}
    objects = graph.object_graph_def.SerializeToString()
    own = {name for node in graph.graph_def.node if node.name == saver for name in _called(node)}
    return {
        name
        for name in own - other
        if name in functions and name.encode() not in objects and "api_implements" not in functions[name].attr
    }


def _called(node: Any) -> set[str]:
    """Return the functions that a node calls: it may be called by the name of one itself."""
    values = node.attr.values()
    return {node.op, *(each.name for value in values for each in (value.func, *value.list.func))}


def _reaches_out(operator: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    if _OUTSIDE.fullmatch(operator):
        return True
    known = op_def_registry.get(operator)
    return known is not None and known.is_stateful and not _INSIDE.fullmatch(operator)
