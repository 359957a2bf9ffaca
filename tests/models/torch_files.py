"""Writes small models into a folder: PyTorch's in every kind of file (environment `torch-models`), or ONNX (`torch`).

python torch_files.py FOLDER torch | onnx
"""

import importlib
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

NET = """
import torch
from torch import nn


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.table, self.head = nn.Linear(8, 16), nn.Embedding(30, 16), nn.Linear(16, 4)

    def forward(self, x, ids):
        hidden = torch.relu(self.dense(x) + self.table(ids).mean(1))
        return {"logits": self.head(hidden), "hidden": hidden}


def build():
    torch.manual_seed(0)
    return Two(), {"x": torch.randn(2, 8), "ids": torch.randint(0, 30, (2, 5))}


def trained():
    return nn.BatchNorm1d(8), torch.randn(2, 8)


class Summed(nn.Linear):
    def forward(self, x):
        hidden = super().forward(x)
        return hidden, hidden.sum()


def summed():
    return Summed(8, 4), torch.randn(2, 8)
"""
BERT = {
    "model_type": "bert", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 64,
}  # fmt: skip


def main(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    (folder / "bert").mkdir()
    (folder / "bert/config.json").write_text(json.dumps(BERT))
    (folder / "clip").mkdir()
    (folder / "clip/config.json").write_text(json.dumps({"model_type": "clip"}))
    _weights(folder)
    sys.path.insert(0, str(folder))
    import net

    two, examples = net.build()
    batch = torch.export.Dim("batch", min=1)
    shapes = {name: {0: batch} for name in examples}
    torch.export.save(
        torch.export.export(two.eval(), (), examples, dynamic_shapes=shapes), folder / "two.pt2"
    )
    small = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    ).eval()
    torch.jit.trace(small, torch.randn(2, 3, 16, 16)).save(folder / "script.pt")
    limited = torch.export.Dim("limited", min=1, max=64)
    flat = nn.Sequential(nn.Linear(8, 4), nn.ReLU()).eval()
    row = (torch.randn(2, 8),)
    torch.export.save(torch.export.export(flat, row, dynamic_shapes=({0: limited},)), folder / "limited.pt2")
    free = ({0: torch.export.Dim.AUTO},)
    torch.export.save(torch.export.export(Halved(), row, dynamic_shapes=free), folder / "halved.pt2")
    importlib.import_module("torch.ao.quantization.fx._decomposed")  # the operators of torchao's programs
    torch.export.save(torch.export.export(Quantised(), row, dynamic_shapes=free), folder / "quantised.pt2")
    images = np.random.default_rng(0).normal(size=(8, 3, 16, 16)).astype(np.float32)
    np.savez(folder / "rows.npz", input=images)


class Halved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 4).half()

    def forward(self, x):
        return self.dense(x.half()).float()


class Quantised(nn.Module):
    """A dense layer in integers, and one in floats, as torchao leaves them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.randint(-127, 128, (16, 8), dtype=torch.int8))
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        known = torch.ops.quantized_decomposed
        whole = known.quantize_per_tensor(x, 0.03, 0, -128, 127, torch.int8)
        values = known.dequantize_per_tensor(whole, 0.03, 0, -128, 127, torch.int8)
        weights = known.dequantize_per_tensor(self.kept, 0.01, 0, -127, 127, torch.int8)
        return self.last(torch.relu(nn.functional.linear(values, weights)))


def _weights(folder: Path) -> None:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = timm.create_model("test_resnet")
    weights = model.state_dict()
    torch.save(weights, folder / "bare.pth")
    save_file(weights, folder / "safe.safetensors")
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in weights.items()}, "epoch": 3}, folder / "wrapped.pt"
    )
    torch.save(model, folder / "whole.pth")
    with zipfile.ZipFile(folder / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * (200 << 20))


def _onnx(folder: Path) -> None:
    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(
                nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Hardswish(),
                nn.Conv2d(8, 12, 1),
            )  # fmt: skip
            self.head = nn.Linear(12, 10)

        def forward(self, image):
            found = self.trunk(image)
            return self.head(found.mean((2, 3))), found.flatten(2)

    torch.onnx.export(
        Detector().eval(), (torch.randn(2, 3, 32, 32),), folder / "detector.onnx", dynamo=True, opset_version=20,
        input_names=["image"], output_names=["logits", "boxes"], external_data=False, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
    )  # fmt: skip


{"torch": main, "onnx": _onnx}[sys.argv[2]](Path(sys.argv[1]))
