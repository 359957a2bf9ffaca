"""Prints the operators of an exported program and runs it in bfloat16; runs in the torch environment."""

import collections
import json
import sys

import torch

program = torch.export.load(sys.argv[1])
calls = [node for node in program.graph.nodes if node.op == "call_function"]
names = collections.Counter(str(node.target).split(".")[1] for node in calls)
half = program.module().to(torch.bfloat16)
inputs = [
    torch.zeros(3, *[int(size) for size in tensor.shape[1:]]).bfloat16()
    for tensor in program.example_inputs[0]
]
with torch.inference_mode():
    output = half(*inputs)
devices = sorted({str(node.kwargs["device"]) for node in calls if "device" in node.kwargs})
print(json.dumps({"devices": devices, "operators": names, "dtype": str(output.dtype), "rows": len(output)}))
