"""Writes small models whose ways to other forms are hard: ONNX by PyTorch (`torch`), or TensorFlow's own (`tf`).

python edge_files.py FOLDER torch | tf
"""

import sys
from pathlib import Path


def write_onnx(folder: Path) -> None:
    """Write an encoder with a mask as PyTorch's older exporter has it, and a decoder of images as the newer."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(50, 32), nn.Embedding(64, 32)
            self.register_buffer("numbers", torch.arange(64)[None])
            self.query, self.key, self.value, self.out = (nn.Linear(32, 32) for _ in range(4))
            self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 5)

        def heads(self, x):
            return x.view(x.shape[0], x.shape[1], 4, x.shape[-1] // 4).transpose(1, 2)

        def forward(self, ids, mask):
            batch, length = ids.shape
            x = self.words(ids) + self.places(self.numbers[:, :length].expand(batch, length))
            ruled_out = (1.0 - mask[:, None, None, :].expand(batch, 1, length, length).float()) * -1e4
            query, key, value = (self.heads(each(x)) for each in (self.query, self.key, self.value))
            weights = torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + ruled_out, -1)
            x = self.norm(x + self.out((weights @ value).transpose(1, 2).reshape(batch, length, 32)))
            return self.head((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)), x

    class Decoder(nn.Module):
        """Gives one part of a Split, sums along channels, resizes to what the input's shape says."""

        def __init__(self):
            super().__init__()
            self.down, self.up = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(11, 4, 3, padding=1)

        def forward(self, image):
            found = torch.relu(self.down(image))
            found = nn.functional.interpolate(found, size=image.shape[2:], mode="bilinear")
            found = self.up(nn.functional.pad(torch.cat([found, image], 1), (1, 1, 1, 1)))
            one, others = found.split([1, 3], 1)
            return one, others.cumsum(1)

    names, examples = ["ids", "mask"], (torch.randint(0, 50, (2, 16)), torch.ones(2, 16, dtype=torch.long))
    torch.onnx.export(
        Encoder().eval(), examples, folder / "encoder.onnx", dynamo=False, opset_version=16, input_names=names,
        dynamic_axes={name: {0: "batch"} for name in names},
    )  # fmt: skip
    torch.onnx.export(
        Decoder().eval(), (torch.randn(2, 3, 32, 32),), folder / "decoder.onnx", dynamo=True, opset_version=20,
        input_names=["image"], dynamic_shapes=({0: torch.export.Dim("batch", min=1)},), external_data=False, verbose=False,
    )  # fmt: skip


def write_tensorflow(folder: Path) -> None:
    """Write a SavedModel of two inputs and outputs, and flatbuffers: it, its quantised form, one with an operator of its own."""
    import numpy as np
    import tensorflow as tf
    from tensorflow import keras

    keras.utils.set_random_seed(0)
    image, scale = keras.Input((16, 16, 3), name="z_image"), keras.Input((6,), name="a_scale")
    found = keras.layers.Conv2D(6, 3, 2, padding="same", activation="relu")(image)
    found = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu6")(found)
    scored = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(found) * scale)
    keras.Model([image, scale], [scored, keras.layers.Flatten()(found)]).export(
        folder / "pair", verbose=False
    )
    loaded = tf.saved_model.load(str(folder / "pair"))
    signature = loaded.signatures["serving_default"]

    def converter():
        return tf.lite.TFLiteConverter.from_concrete_functions([signature], loaded)

    (folder / "pair.tflite").write_bytes(converter().convert())
    quantised, random = converter(), np.random.default_rng(0)
    quantised.optimizations = [tf.lite.Optimize.DEFAULT]
    quantised.representative_dataset = lambda: (
        {"z_image": random.normal(size=(1, 16, 16, 3)).astype("f"), "a_scale": np.ones((1, 6), "f")}
        for _ in range(16)
    )
    (folder / "quantised.tflite").write_bytes(quantised.convert())

    @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32)])
    def peaks(x):
        return tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0])

    own = tf.lite.TFLiteConverter.from_concrete_functions([peaks.get_concrete_function()])
    own.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    (folder / "bucketed.tflite").write_bytes(own.convert())


{"torch": write_onnx, "tf": write_tensorflow}[sys.argv[2]](Path(sys.argv[1]))
