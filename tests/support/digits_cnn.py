"""Trains a small CNN on handwritten digits; run by path in the environment `torch-models`.

Arguments: an .npz of the training half (x: float32 (n, 1, 8, 8), y), and the .pt2 to write (logits).
"""

import sys

import numpy as np
import torch
from torch import nn


def train(x, y):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    return model.eval()


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        images, classes = torch.from_numpy(file["x"]), torch.from_numpy(file["y"]).long()
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(train(images, classes), (images[:2],), dynamic_shapes=({0: batch},))
    torch.export.save(program, sys.argv[2])
