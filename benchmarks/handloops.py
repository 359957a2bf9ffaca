"""Measures hand-written loops, for the claim of overhead.py and gpu_overhead.py that inferometer's own loop is as fast.

    PYTHON handloops.py LOOP --model PATH --inputs FILE.npz --images 512 --warmup 10 --threads 2

One loop a framework; nothing of inferometer is imported here. Prints the framework's version as a line of JSON; then, for each line `BATCH_SIZE SECONDS` that it reads, images/s over
whole passes of the images that take at least so long.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loop", choices=sorted(LOOPS))
    for name in ("model", "inputs"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("images", "warmup", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    version, measure = LOOPS[arguments.loop](arguments)
    gc.disable()  # as timeit does: a collection looks through all of a framework's objects
    answer({"version": version})
    for line in sys.stdin:
        size, arguments.seconds = int(line.split()[0]), float(line.split()[1])
        answer({"throughput": measure(size)})


def answer(value):
    print(json.dumps(value), flush=True)


def stack(arguments, layout):
    """Return the images, N cycled to --images, contiguous."""
    import numpy as np

    with np.load(arguments.inputs) as file:
        rows = file[file.files[0]]
    if layout == "NCHW":
        rows = rows.transpose(0, 3, 1, 2)
    rows = np.ascontiguousarray(rows)
    return np.ascontiguousarray(rows[np.arange(arguments.images) % len(rows)])


def cut(images, size):
    return [images[start : start + size] for start in range(0, len(images), size)]


def throughput(arguments, batches, run, finish=lambda: None):
    for index in range(arguments.warmup):
        run(batches[index % len(batches)])
    finish()
    images = elapsed = 0
    while elapsed < arguments.seconds:
        start = time.monotonic()
        for batch in batches:
            run(batch)
        finish()
        elapsed += time.monotonic() - start
        images += arguments.images
    return images / elapsed


def onnxrt_cpu(arguments):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    images = stack(arguments, "NCHW")

    def measure(size):
        return throughput(arguments, cut(images, size), lambda batch: session.run(None, {name: batch}))

    return onnxruntime.__version__, measure


def onnxrt_cuda_device(arguments):
    import onnxruntime

    provider = ("CUDAExecutionProvider", {"device_id": 0, "use_tf32": 0})
    session = onnxruntime.InferenceSession(arguments.model, providers=[provider])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise SystemExit(f"no CUDA provider: {session.get_providers()}")
    name, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    images = stack(arguments, "NCHW")

    def measure(size):
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(batch, "cuda", 0) for batch in cut(images, size)]
        binding = session.io_binding()
        binding.bind_output(result, "cuda", 0)

        def run(value):
            binding.bind_ortvalue_input(name, value)
            session.run_with_iobinding(binding)

        return throughput(arguments, values, run, binding.synchronize_outputs)

    return onnxruntime.__version__, measure


def torch_cpu(arguments):
    import torch

    torch.set_num_threads(arguments.threads)
    module = torch.export.load(arguments.model).module(check_guards=False)
    # 400 attributes of an exported program are looked up and never used, and its inputs and outputs are taken apart as
    # trees: more than 1 ms of a call at batch size 1. Ours leaves both out too.
    module.graph.eliminate_dead_code()
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.recompile()
    images = stack(arguments, "NCHW")

    def measure(size):
        with torch.inference_mode():
            return throughput(
                arguments, cut(images, size), lambda batch: module(torch.from_numpy(batch))[0].numpy()
            )

    return torch.__version__, measure


def torch_compile_half_device(arguments):
    import torch

    module = torch.export.load(arguments.model).module()
    module = module.to("cuda", torch.float16).to(memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False  # the sums that ours takes
    torch._dynamo.config.recompile_limit = 64
    compiled = torch.compile(module, dynamic=False)
    images = stack(arguments, "NCHW")

    def measure(size):
        batches = [
            torch.from_numpy(batch).to("cuda", torch.float16, memory_format=torch.channels_last)
            for batch in cut(images, size)
        ]
        with torch.inference_mode():
            return throughput(arguments, batches, compiled, torch.cuda.synchronize)

    return torch.__version__, measure


def tfxla(arguments):
    """Return TensorFlow, the images, and the model under XLA."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    loaded = tf.saved_model.load(arguments.model)
    signature = loaded.signatures["serving_default"]
    name = next(iter(signature.structured_input_signature[1]))
    infer = tf.function(lambda images: signature(**{name: images}), jit_compile=True)
    infer.owner = loaded  # the signature alone does not keep its variables
    return tf, stack(arguments, "NHWC"), infer


def tfxla_host(arguments):
    tf, images, infer = tfxla(arguments)

    def run(batch):
        (output,) = infer(tf.constant(batch)).values()
        return output.numpy()

    return tf.__version__, lambda size: throughput(arguments, cut(images, size), run)


def tfxla_device(arguments):
    tf, images, infer = tfxla(arguments)

    def measure(size):
        batches = [tf.identity(tf.constant(batch)) for batch in cut(images, size)]
        return throughput(arguments, batches, infer, tf.test.experimental.sync_devices)

    return tf.__version__, measure


def jax_device(arguments):
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    import keras

    jax.config.update("jax_default_matmul_precision", "highest")
    model = keras.models.load_model(arguments.model, compile=False)
    trainable = [variable.value for variable in model.trainable_variables]
    frozen = [variable.value for variable in model.non_trainable_variables]

    def infer(trainable, frozen, images):
        return model.stateless_call(trainable, frozen, images, training=False)[0]

    infer = jax.jit(infer)
    images = stack(arguments, "NHWC")

    def measure(size):
        batches = [jax.device_put(batch) for batch in cut(images, size)]
        last = []

        def run(batch):
            last[:] = [infer(trainable, frozen, batch)]

        return throughput(arguments, batches, run, lambda: jax.block_until_ready(last))

    return jax.__version__, measure


LOOPS = {
    "onnxrt-cpu": onnxrt_cpu,
    "onnxrt-cuda-device": onnxrt_cuda_device,
    "torch-cpu": torch_cpu,
    "torch-compile-half-device": torch_compile_half_device,
    "tfxla-host": tfxla_host,
    "tfxla-device": tfxla_device,
    "jax-device": jax_device,
}

if __name__ == "__main__":
    main()
