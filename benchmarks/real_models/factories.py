"""Classes of a package, with inputs that they take: copied beside it, whose modules are imported from there."""

from __future__ import annotations

from typing import Any


def onet() -> tuple[Any, Any]:
    import torch
    from facenet_pytorch.models.mtcnn import ONet

    return ONet(pretrained=False), torch.zeros(1, 3, 48, 48)
