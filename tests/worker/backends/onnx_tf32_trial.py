"""TF32 and ONNX Runtime's TensorRT provider, in an environment without it: argv is the repository's src and a folder."""

import ctypes
import os
import sys
import types
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import onnx
from onnx import TensorProto, helper

from inferometer.worker.backend import Opening
from inferometer.worker.backends.onnxruntime import Runtime
from inferometer.worker.failures import Misplaced

NAME = "NVIDIA_TF32_OVERRIDE"
os.environ[NAME] = "1"  # as somebody's shell may have it
value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [value], [out])
path = Path(sys.argv[2]) / "relu.onnx"
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p


class Order:
    """Notes what C libraries see when onnxruntime is first looked for."""

    seen = "never"

    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime" and self.seen == "never":
            self.seen = getenv(NAME.encode())


def opened(precision, kind="tensorrt"):
    """Open in the cell's own words; without the provider that ends after everything has been set."""
    device = "cpu" if kind == "cpu" else "cuda"
    opening = Opening("onnx", path, "", ("x",), ("y",), precision, device, 1, {"provider": kind}, path.parent)
    try:
        return Runtime(opening)
    except Misplaced as error:
        assert "TensorrtExecutionProvider did not load" in str(error), error


order = Order()
sys.meta_path.insert(0, order)
opened("fp32", "cpu")
assert os.environ[NAME] == "1" and order.seen == b"1", "other providers have switches of their own"

del sys.modules["onnxruntime"]
order.seen = "never"
for precision, wanted in (("fp32", b"0"), ("tf32", None), ("fp16", None)):
    opened(precision)
    assert getenv(NAME.encode()) == wanted, precision
assert order.seen == b"0", "set after the libraries were looked for"
assert {folder.name for folder in (path.parent / "tensorrt").iterdir()} == {"fp32", "tf32", "fp16"}


def told(half):
    session = types.SimpleNamespace(
        get_provider_options=lambda: {"TensorrtExecutionProvider": {"trt_fp16_enable": half}}
    )
    return Runtime._precision(types.SimpleNamespace(_kind="tensorrt", _session=session))


assert (told("0"), told("1")) == ("tf32", "fp16")
os.environ[NAME] = "0"
assert (told("0"), told("1")) == ("fp32", "fp16")
print("as wanted")
