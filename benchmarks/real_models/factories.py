"""Classes of a package, with inputs that they take: copied beside it, whose modules are imported from there."""

from __future__ import annotations

from typing import Any


def efficientnet_lite0() -> tuple[Any, Any]:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_name("efficientnet-lite0"), torch.zeros(1, 3, 224, 224)
