"""SavedModel folders of strangers: their operators, found in the file before any of them runs (initialisers run on loading)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

# operators with a state that stays inside the model: variables, tables, calls, control flow, random numbers
_INSIDE = re.compile(
    r"VarHandleOp|VarIsInitializedOp|VarIsInitialized\w*|\w*Variable\w*|Resource\w+|DisableCopyOnRead|DestroyResourceOp|"
    r"\w*HashTable\w*|LookupTable\w+|InitializeTable\w*|AnonymousMutable\w+|StatefulPartitionedCall|StatefulRandom\w*|"
    r"StatefulStandardNormal\w*|StatefulTruncatedNormal|StatefulUniform\w*|If|While|Case|Random\w+|TruncatedNormal|"
    r"Parameterized\w+|Multinomial|RestoreV2|Assert|Placeholder\w*|NoOp|TensorArray\w*|Stack\w*|RngSkip\w*|RngReadAndSkip\w*"
)
_OUTSIDE = frozenset(("ReadFile", "MatchingFiles", "PyFuncStateless"))  # which TensorFlow takes for stateless


def check(folder: Path) -> None:
    """Raise ValueError (one line) for an operator that reaches out of the model, or a file that is no SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's DecodeError, OSError
        text = " ".join(str(error).split())
        raise ValueError(f"{folder.name} cannot be loaded as a SavedModel: {text[:200]}") from error
    outside = sorted(op for graph in model.meta_graphs for op in _operators(graph) if _reaches_out(op))
    if outside:
        raise ValueError(
            f"{folder.name} has operator {outside[0]}, which reaches out of the model; give --trust-model if you trust it"
        )


def _operators(graph: Any) -> set[str]:
    """Return the kinds of operator in a graph and its functions, but for those that only its saver calls, which never runs."""
    functions = {f.signature.name: f.node_def for f in graph.graph_def.library.function}
    saver = graph.saver_def.save_tensor_name.partition(":")[0]
    nodes = [node for node in graph.graph_def.node if node.name != saver]
    saving = {name for node in graph.graph_def.node if node.name == saver for name in _called(node)}
    called = {name for node in nodes for name in _called(node)}
    called |= {name for definition in functions.values() for node in definition for name in _called(node)}
    kept = [definition for name, definition in functions.items() if name not in saving - called]
    return {node.op for node in (*nodes, *(node for definition in kept for node in definition))}


def _called(node: Any) -> set[str]:
    return {
        function.name
        for value in node.attr.values()
        for function in (value.func, *value.list.func)
        if function.name
    }


def _reaches_out(operator: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    if operator in _OUTSIDE:
        return True
    known = op_def_registry.get(operator)
    return known is not None and known.is_stateful and not _INSIDE.fullmatch(operator)
