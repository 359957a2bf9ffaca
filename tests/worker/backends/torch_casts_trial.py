"""Programs that cast between floating types themselves, at every precision: argv is the repository's src and a folder."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import torch
from torch import nn

from inferometer.worker.backend import Opening
from inferometer.worker.backends.torch import Runtime
from inferometer.worker.readback import check_readback


class Dense(nn.Linear):
    """A dense layer of what a function makes of its input."""

    def __init__(self, change):
        super().__init__(8, 4)
        self.change = change

    def forward(self, x):
        return super().forward(self.change(x)).float()


def positions(x):
    return x + torch.sin(torch.arange(8, dtype=torch.float64) * 0.1).to(torch.float32)


def padded(x):
    return torch.cat([x[:, :4], torch.zeros(x.shape[0], 4)], 1)


def summed(x):
    return (x.double().cumsum(1) - 1e4 + 1e4).float()


def scaled(x):
    return x * torch.arange(8, dtype=torch.float16).float()


def moved(x):
    return x.to("cpu", torch.float64).type_as(x)


PROGRAMS = {
    "positions": Dense(positions),
    "alone": Dense(lambda x: x[:, :1] + positions(torch.zeros(8))),
    "rounded": Dense(lambda x: x.half().float()),
    "padded": Dense(padded),
    "summed": Dense(summed),
    "scaled": Dense(scaled),
    "moved": Dense(moved),
    "masked": Dense(lambda x: x * (x > 0).to(torch.float32)),
    "half": Dense(lambda x: x.half()).half(),
    "double": Dense(lambda x: x.double()).double(),
}
MOST = {"fp32": 0, "fp16": 2e-3, "bf16": 2e-2}  # of the largest output; at fp32 it is the same program
WIDENED = {"half": 2e-3, "double": 1e-6}  # weights of another type are measured as fp32
rows = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32))

for name, module in PROGRAMS.items():
    torch.manual_seed(0)
    path = Path(sys.argv[2]) / f"{name}.pt2"
    free = ({0: torch.export.Dim("rows", min=1)},)
    torch.export.save(torch.export.export(module.eval(), (rows,), dynamic_shapes=free), path)
    with torch.no_grad():
        wanted = module(rows).numpy()
    for precision, most in MOST.items():
        opening = Opening("exported", path, "", ("x",), ("y",), precision, "cpu", 1)
        runtime = Runtime(opening)
        runtime.prepare((rows.numpy(),))
        (found,) = runtime.run((rows.numpy(),))
        far = np.abs(found - wanted).max() / np.abs(wanted).max()
        assert far <= max(most, WIDENED.get(name, 0)), (name, precision, far)
        assert check_readback(runtime.actual(), opening) == ("ok", ""), (name, precision, runtime.actual())
print("as wanted")
