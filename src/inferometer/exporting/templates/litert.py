"""LiteRT on the CPU, through XNNPACK."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.shared import HERE, THREADS, main

ARTIFACT = "model.tflite"
INPUTS: list[str] = []
OUTPUTS: list[str] = []


class Model:
    """One interpreter for each batch size."""

    def __init__(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._kind: Any = Interpreter
        plain = self._kind(model_path=str(HERE / ARTIFACT))  # which only tells the tensors' places by name
        inputs = {item["name"]: item["index"] for item in plain.get_input_details()}
        outputs = {item["name"]: item["index"] for item in plain.get_output_details()}
        if "serving_default" in plain.get_signature_list():
            runner = plain.get_signature_runner("serving_default")
            inputs |= {name: item["index"] for name, item in runner.get_input_details().items()}
            outputs |= {name: item["index"] for name, item in runner.get_output_details().items()}
        self._inputs, self._outputs = [inputs[name] for name in INPUTS], [outputs[name] for name in OUTPUTS]
        self._ready: dict[int, Any] = {}

    def _prepare(self, batch: tuple[Any, ...]) -> Any:
        interpreter = self._kind(model_path=str(HERE / ARTIFACT), num_threads=THREADS)
        for index, array in zip(self._inputs, batch):
            interpreter.resize_tensor_input(index, array.shape, strict=True)
        interpreter.allocate_tensors()
        return interpreter

    def run(self, batch: tuple[Any, ...]) -> list[Any]:
        """Return an array a model output; ``batch``: one a model input."""
        if len(batch[0]) not in self._ready:
            self._ready[len(batch[0])] = self._prepare(batch)
        interpreter = self._ready[len(batch[0])]
        for index, array in zip(self._inputs, batch):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._outputs]


if __name__ == "__main__":
    main(Model)
