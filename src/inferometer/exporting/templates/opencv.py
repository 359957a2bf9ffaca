"""OpenCV's DNN module on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.onnx"
INPUTS: list[str] = []
OUTPUTS: list[str] = []
GATES = (("HardSigmoid",), ("Tanh", "Softplus"), ("Tanh", "Log", "Add", "Exp"))


def origin(name: str, kinds: tuple[str, ...], makers: dict[str, Any]) -> str:
    """Return what a value is made of by these operators, the last one first; "" where it is not."""
    if not kinds or not name:
        return name
    maker = makers.get(name)
    found = maker.input if maker is not None and maker.op_type == kinds[0] else ()
    return next((made for made in (origin(item, kinds[1:], makers) for item in found) if made), "")


def kept_apart(path: str) -> bytes:
    """Return the file with an Identity after each gate: OpenCV fuses x * HardSigmoid(y) as if x and y were one."""
    import onnx

    model = onnx.load(path)
    makers = {name: node for node in model.graph.node for name in node.output}
    gates = {
        gate
        for node in model.graph.node
        if node.op_type == "Mul"
        for gate, gated in (node.input, node.input[::-1])
        if any(origin(gate, kinds, makers) not in ("", gated) for kinds in GATES)
    }
    for gate in sorted(gates):
        place = list(model.graph.node).index(makers[gate])
        for node in model.graph.node:
            if node.op_type == "Mul":
                node.input[:] = [f"{gate}/apart" if item == gate else item for item in node.input]
        model.graph.node.insert(place + 1, onnx.helper.make_node("Identity", [gate], [f"{gate}/apart"]))
    content: bytes = model.SerializeToString()
    return content


class Model:
    """One net for each batch size."""

    def __init__(self) -> None:
        import cv2

        cv2.setNumThreads(THREADS)
        self._read: Any = cv2.dnn.readNetFromONNX
        self._content = np.frombuffer(kept_apart(str(HERE / ARTIFACT)), np.uint8)
        self._nets: dict[int, Any] = {}

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._nets:
            self._nets[len(batch[0])] = self._read(self._content)
        net = self._nets[len(batch[0])]
        for name, array in zip(INPUTS, batch):
            net.setInput(array, name)
        return list(net.forward(OUTPUTS))


if __name__ == "__main__":
    main(Model)
