"""What torch computes in, read back in its own environment: argv is the repository's src and a folder."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from inferometer.worker.backend import Opening
from inferometer.worker.backends.parts import torch_precision, torch_program
from inferometer.worker.backends.torch import Runtime
from inferometer.worker.flags import flag
from inferometer.worker.readback import check_readback


class Classifier(nn.Module):
    """A convolution, an attention and two dense layers; ``last`` is the end, where autocast may go back to float32."""

    def __init__(self, last):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.dense, self.last = nn.Linear(8, 5), last

    def forward(self, x):
        y = self.norm(self.conv(x)).relu().flatten(2).transpose(1, 2)
        y, _ = self.attention(y, y, y, need_weights=False)
        return self.last(self.dense(y.mean(1)))


class Wide(nn.Module):
    """An end that CPU autocast computes in float32, as CUDA's does softmax."""

    def forward(self, x):
        return x.softmax(-1).unsqueeze(-1).prod(-1)


class Best(nn.Module):
    """An end of whole numbers."""

    def forward(self, x):
        return x.argmax(-1)


class Plain(nn.Module):
    """No product at all."""

    def forward(self, x):
        return x.mean((2, 3))


def exported(name, module):
    path, rows = Path(sys.argv[2]) / f"{name}.pt2", {0: torch.export.Dim("rows", min=1)}
    program = torch.export.export(module.eval(), (torch.randn(4, 3, 10, 10),), dynamic_shapes=(rows,))
    torch.export.save(program, path)
    return path


def read_back(path, precision, **options):
    opening = Opening("exported", path, "NCHW", ("x",), ("y",), precision, "cpu", 2, options)
    runtime = Runtime(opening)
    batch = (np.random.default_rng(0).normal(size=(4, 3, 10, 10)).astype(np.float32),)
    runtime.prepare(batch)
    runtime.run(batch)
    actual = runtime.actual()
    assert check_readback(actual, opening) == ("ok", ""), (path, precision, options, actual)
    return runtime, actual["details"]


TYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
ENDS = {"softmax": nn.Softmax(-1), "wide": Wide(), "best": Best()}
for name, end in ENDS.items():
    path = exported(name, Classifier(end))
    for precision, wanted in TYPES.items():
        for options in ({}, {"autocast": True}):
            if options and precision == "fp32":
                continue
            runtime, details = read_back(path, precision, **options)
            assert details["products_give"] == {wanted: 5}, (name, precision, options, details)
            assert runtime.flags() == [], runtime.flags()
            if name == "wide" and options:
                assert details["output_type"] == "float32", "the output alone tells: this trial shows nothing"
            traced = torch_precision.traced_in(
                lambda fakes, own=runtime: own._under_modes(own._module, fakes),
                [torch.zeros(4, 3, 10, 10, dtype=runtime._dtype)],
            )
            assert traced == details["products_give"], (traced, details)
_, details = read_back(exported("plain", Plain()), "bf16")
assert details["products_give"] == {} and details["output_type"] == "bfloat16"

# a compiled program is read as traced, once, and computes nothing for it
runtime, details = read_back(Path(sys.argv[2]) / "wide.pt2", "bf16", autocast=True, compile=True)
assert details["products_give"] == {"bfloat16": 5} and details["output_type"] == "float32"

# the pipeline's own call computes under autocast too
pixels = torch.randint(0, 255, (4, 3, 10, 10), dtype=torch.uint8)
runtime, _ = read_back(Path(sys.argv[2]) / "wide.pt2", "fp16", autocast=True)
infer = runtime._pixel_function()
assert torch_precision.computed_in(lambda: infer([pixels])) == {"float16": 5}


# CUDA's rules without a GPU: fake tensors of a GPU, autocast switched on by hand
program = torch.export.load(Path(sys.argv[2]) / "softmax.pt2")
for kind in (torch.float16, torch.bfloat16):
    with FakeTensorMode(allow_non_fake_inputs=True):
        module = torch_program.module_of(torch, program, torch.device("cuda"), torch.float32)
        images, outputs = torch.empty(4, 3, 10, 10, device="cuda"), []
        torch.set_autocast_enabled("cuda", True)
        torch.set_autocast_dtype("cuda", kind)
        with torch.inference_mode():
            found = torch_precision.computed_in(
                lambda own=module, x=images, kept=outputs: kept.append(own(x)[0])
            )
        torch.set_autocast_enabled("cuda", False)
    assert outputs[0].dtype == torch.float32, "CUDA's softmax is float32 under autocast"
    assert found == {str(kind).removeprefix("torch."): 5}, found


mixed = {"bfloat16": 62, "float32": 2}
assert torch_precision.precision_of(mixed, "float32", tf32=True) == "bf16"
assert torch_precision.flags(mixed) == [
    flag("other-precision", count=2, total=64, precision="float32", most="bfloat16")
]
assert torch_precision.precision_of({"float32": 9}, "float16", tf32=True) == "tf32"
assert torch_precision.precision_of({}, "float16", tf32=False) == "fp16"
print("as wanted")
