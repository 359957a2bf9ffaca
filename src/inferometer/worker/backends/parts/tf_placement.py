"""Where TensorFlow really ran a model's nodes: what has no kernel on the device is moved to the CPU without a word.

A function's nodes are read from the graphs that the runtime cut it into, one a device, when it is first called; a model
called eagerly has no graph, and tells the device of each operation as it runs. Both interfaces are internal to
TensorFlow; they are the same in 2.14 and 2.21.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from inferometer.worker.backends.parts import stray_nodes
from inferometer.worker.flags import Flag

XLA = "XLA compiles the whole function for the device of its outputs, or refuses it"
GRAPHS = "the graphs that the function was cut into"
CALLS = "each operation as it ran"
NOTHING = "nothing: only outputs and variables are known"

# hold, pass on or route values; or belong on the host wherever the work is done
_PASSIVE = frozenset(
    """_Arg _DeviceArg _Retval _DeviceRetval _Send _Recv _HostSend _HostRecv _SOURCE _SINK NoOp Const _EagerConst Placeholder
    PlaceholderWithDefault Identity IdentityN StopGradient EnsureShape Assert VarHandleOp ReadVariableOp
    _XlaCompile _XlaRun Enter Exit Merge Switch NextIteration LoopCond RefEnter RefExit RefMerge RefSwitch
    RefNextIteration ControlTrigger If StatelessIf While StatelessWhile Shape ShapeN Size Rank""".split()  # noqa: SIM905  (sixty strings, a line each, are no better to read)
)
# so where they count with whole numbers only: the arithmetic of shapes and of loops
_COUNTING = frozenset(
    """StridedSlice Slice Pack Unpack Concat ConcatV2 Split SplitV Prod Sum Min Max Any All Mul Add AddV2 Sub Neg
    Maximum Minimum FloorDiv FloorMod Mod Div Range Gather GatherV2 ExpandDims Squeeze Reshape Transpose Cast Fill
    ZerosLike OnesLike Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr LogicalNot Select
    SelectV2 BroadcastArgs BroadcastTo InvertPermutation Tile Pad PadV2 DataFormatVecPermute DataFormatDimMap""".split()  # noqa: SIM905  (sixty strings, a line each, are no better to read)
)
_WHOLE = frozenset((3, 9, 10))  # types.proto: int32, int64, bool
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_UNTOLD = "not told"


@dataclass(frozen=True)
class Node:
    """One node that computes, or a function's body that was not taken apart."""

    name: str
    kind: str
    device: str  # as in "GPU:0", or "not told"


@dataclass(frozen=True)
class Placement:
    """The nodes of one batch, and the device, as in "GPU:0", where they were wanted."""

    wanted: str
    told_by: str = NOTHING
    nodes: tuple[Node, ...] = field(default=(), repr=False)

    def details(self) -> dict[str, Any]:
        """Return what a record keeps: counts by device, up to 20 strays by name, and what told it."""
        return {
            "nodes": dict(Counter(node.device for node in self.nodes)),
            "nodes_elsewhere": stray_nodes.first_named(self._strays()),
            "nodes_told_by": self.told_by,
        }

    def flags(self) -> list[Flag]:
        """Say how many nodes ran elsewhere, and of which kinds."""
        return stray_nodes.flags(self._strays(), len(self.nodes))

    def _strays(self) -> list[stray_nodes.Stray]:
        return [(node.name, node.kind) for node in self.nodes if node.device not in (self.wanted, _UNTOLD)]


def of_function(wanted: str, run: Callable[[], Any], xla: bool) -> Placement:
    """Run a function's first call of a shape, the only one whose graphs can be read, and return where its nodes lie."""
    from tensorflow.python.eager import context

    if xla:
        run()
        return Placement(wanted, XLA)
    current = context.context()
    current.enable_graph_collection()
    try:
        run()
        graphs = current.export_run_metadata().partition_graphs
    finally:
        current.disable_graph_collection()
    return Placement(wanted, GRAPHS if graphs else NOTHING, tuple(nodes_of(graphs)))


def of_calls(wanted: str, run: Callable[[], Any]) -> Placement:
    """Run a batch eagerly and return where each of its operations ran."""
    from tensorflow.python.framework import op_callbacks

    nodes: list[Node] = []

    def note(
        kind: Any, inputs: Any, _attributes: Any, outputs: Any, _name: Any = None, graph: Any = None
    ) -> None:
        if graph is None:  # else a function is being traced
            nodes.extend(_called(len(nodes), kind, [*inputs, *outputs], outputs))

    op_callbacks.add_op_callback(note)
    try:
        run()
    finally:
        op_callbacks.remove_op_callback(note)
    return Placement(wanted, CALLS, tuple(nodes))


def _called(number: int, kind: Any, tensors: list[Any], outputs: Any) -> list[Node]:
    name = kind.decode() if isinstance(kind, bytes) else str(kind)
    if not outputs or _is_passive(name, {int(tensor.dtype.as_datatype_enum) for tensor in tensors}):
        return []
    if name.startswith("__"):  # a function within the model
        return [Node(name, "function", _UNTOLD)]
    return [Node(f"call {number + 1}", name, _short(outputs[0].device))]


def nodes_of(graphs: Iterable[Any]) -> Iterable[Node]:
    """Yield the computing nodes of `GraphDef`s with devices; a function that was not inlined does not tell its nodes'."""
    for graph in graphs:
        for node in graph.node:
            if node.op not in _CALLS and not _is_passive(node.op, _types(node)):
                yield Node(node.name, _known(node.op), _short(node.device))
        for function in graph.library.function:
            for node in function.node_def:
                if node.op not in _CALLS and not _is_passive(node.op, _types(node)):
                    yield Node(node.name, _known(node.op), _UNTOLD)


def _known(kind: str) -> str:
    """Return a kind of node by the name that models have it under: oneDNN puts its own in their place on some processors."""
    return kind.removeprefix("_Mkl")


def _is_passive(kind: str, types: set[int]) -> bool:
    return kind in _PASSIVE or (kind in _COUNTING and types <= _WHOLE)


def _types(node: Any) -> set[int]:
    """Return the element types that a node's attributes name."""
    single = {value.type for value in node.attr.values() if value.WhichOneof("value") == "type"}
    return single | {kind for value in node.attr.values() for kind in value.list.type}


def _short(device: str) -> str:
    return device.rpartition("device:")[2] or _UNTOLD
