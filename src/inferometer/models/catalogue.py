"""The classification architectures of keras.applications by name; a test in the TensorFlow environment checks this table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inferometer.errors import UsageError, unknown


@dataclass(frozen=True)
class Application:
    """One architecture: where Keras keeps it, and the size of the square images it was made for."""

    module: str  # of keras.applications; holds preprocess_input
    attribute: str  # of keras.applications; builds the model
    size: int  # pixels


APPLICATIONS: dict[str, Application] = {
    "convnext_tiny": Application("convnext", "ConvNeXtTiny", 224),
    "convnext_small": Application("convnext", "ConvNeXtSmall", 224),
    "convnext_base": Application("convnext", "ConvNeXtBase", 224),
    "convnext_large": Application("convnext", "ConvNeXtLarge", 224),
    "convnext_xlarge": Application("convnext", "ConvNeXtXLarge", 224),
    "densenet121": Application("densenet", "DenseNet121", 224),
    "densenet169": Application("densenet", "DenseNet169", 224),
    "densenet201": Application("densenet", "DenseNet201", 224),
    "efficientnet_b0": Application("efficientnet", "EfficientNetB0", 224),
    "efficientnet_b1": Application("efficientnet", "EfficientNetB1", 240),
    "efficientnet_b2": Application("efficientnet", "EfficientNetB2", 260),
    "efficientnet_b3": Application("efficientnet", "EfficientNetB3", 300),
    "efficientnet_b4": Application("efficientnet", "EfficientNetB4", 380),
    "efficientnet_b5": Application("efficientnet", "EfficientNetB5", 456),
    "efficientnet_b6": Application("efficientnet", "EfficientNetB6", 528),
    "efficientnet_b7": Application("efficientnet", "EfficientNetB7", 600),
    "efficientnet_v2_b0": Application("efficientnet_v2", "EfficientNetV2B0", 224),
    "efficientnet_v2_b1": Application("efficientnet_v2", "EfficientNetV2B1", 240),
    "efficientnet_v2_b2": Application("efficientnet_v2", "EfficientNetV2B2", 260),
    "efficientnet_v2_b3": Application("efficientnet_v2", "EfficientNetV2B3", 300),
    "efficientnet_v2_s": Application("efficientnet_v2", "EfficientNetV2S", 384),
    "efficientnet_v2_m": Application("efficientnet_v2", "EfficientNetV2M", 480),
    "efficientnet_v2_l": Application("efficientnet_v2", "EfficientNetV2L", 480),
    "inception_resnet_v2": Application("inception_resnet_v2", "InceptionResNetV2", 299),
    "inception_v3": Application("inception_v3", "InceptionV3", 299),
    "mobilenet": Application("mobilenet", "MobileNet", 224),
    "mobilenet_v2": Application("mobilenet_v2", "MobileNetV2", 224),
    "mobilenet_v3_large": Application("mobilenet_v3", "MobileNetV3Large", 224),
    "mobilenet_v3_small": Application("mobilenet_v3", "MobileNetV3Small", 224),
    "nasnet_large": Application("nasnet", "NASNetLarge", 331),
    "nasnet_mobile": Application("nasnet", "NASNetMobile", 224),
    "resnet50": Application("resnet", "ResNet50", 224),
    "resnet101": Application("resnet", "ResNet101", 224),
    "resnet152": Application("resnet", "ResNet152", 224),
    "resnet50_v2": Application("resnet_v2", "ResNet50V2", 224),
    "resnet101_v2": Application("resnet_v2", "ResNet101V2", 224),
    "resnet152_v2": Application("resnet_v2", "ResNet152V2", 224),
    "vgg16": Application("vgg16", "VGG16", 224),
    "vgg19": Application("vgg19", "VGG19", 224),
    "xception": Application("xception", "Xception", 299),
}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_PLAIN = {_plain(name): name for name in APPLICATIONS}


def canonical(name: str) -> str:
    """Return the table's spelling of ``name`` (`MobileNetV3Large`, `mobilenet-v3-large`); UsageError with the nearest."""
    if _plain(name) in _PLAIN:
        return _PLAIN[_plain(name)]
    if family := [known for known in APPLICATIONS if _letters(known) == _letters(name)]:
        raise UsageError(
            f"keras.applications has no '{name}' (it has {', '.join(family)}); of PyTorch's give timm:{name} or torchvision:{name}"
        )
    raise unknown("model", name, list(APPLICATIONS))


def _letters(name: str) -> str:
    """Return a name without its digits, in which sizes differ: another size is no typing error."""
    return re.sub(r"[^a-z]", "", name.lower())
