"""What can be said of the TensorRT family without a GPU: engines for a named target are built by the real builder."""

from __future__ import annotations

import json
import subprocess
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks import environments, requirements
from inferometer.worker.backend import Opening
from inferometer.worker.backends import tensorrt, tftrt
from inferometer.worker.backends.parts import trt_build
from inferometer.worker.backends.parts.copier import Copier
from inferometer.worker.failures import Unsupported
from parts import missing

TRIAL = Path(__file__).with_name("tensorrt_trial.py")


def rtx(**capabilities):
    kinds = types.SimpleNamespace(__members__=dict.fromkeys(("NONE", "CURRENT", "SM86", "SM120")))
    return types.SimpleNamespace(
        __name__="tensorrt_rtx",
        __version__="1.7",
        ComputeCapability=kinds,
        BuilderFlag=types.SimpleNamespace(),
    )


def test_targets_and_typing_are_read_from_the_module():
    plain = types.SimpleNamespace(BuilderFlag=types.SimpleNamespace(FP16=1))
    assert trt_build.targets(plain) == ()
    assert not trt_build.is_strongly_typed(plain)
    assert trt_build.targets(rtx()) == ("sm_86", "sm_120")
    assert trt_build.is_strongly_typed(rtx())


def test_a_gpu_without_code_is_refused_by_name():
    tensorrt._check_capability(rtx(), "12.0")
    with pytest.raises(Unsupported, match=r"runs on compute capability 8\.6, 12\.0; this GPU has 9\.0"):
        tensorrt._check_capability(rtx(), "9.0")


def layer(text):
    return {"Name": "x", "Outputs": [{"Name": "y", "Format/Datatype": text}]}


def test_layer_types_of_the_engine_inspector():
    texts = (
        "Channel major FP16 format where channel % 8 == 0", "Half", "Row major linear FP32", "Float", "BFloat16",
        "Int8", "Int64",
    )  # fmt: skip
    counts = tensorrt.count_types({"Layers": [layer(text) for text in texts]})
    assert counts == Counter(fp16=2, fp32=2, bf16=1, int8=1, unknown=1)
    assert tensorrt.count_types({"Layers": ["names only"]}) == Counter(unknown=1)


@pytest.mark.parametrize(
    ("types_", "asked", "tf32", "found"),
    [
        ({"fp32": 9}, "fp32", False, "fp32"),
        ({"fp32": 9}, "tf32", True, "tf32"),
        ({"fp32": 1, "fp16": 9}, "fp16", False, "fp16"),
        ({"fp32": 9}, "fp16", False, "fp32"),
        ({"fp32": 9, "fp16": 1}, "fp32", False, "fp16"),
        ({"fp32": 5, "int8": 4}, "int8", False, "int8"),
    ],
)
def test_precision_is_what_layers_write(types_, asked, tf32, found):
    assert tensorrt.precision_of(Counter(types_), asked, tf32) == found


def node(operation):
    return types.SimpleNamespace(op=operation)


def test_tftrt_counts_what_tensorrt_left():
    body = [node("TRTEngineOp"), node("Softmax"), node("Identity")]
    functions = [
        types.SimpleNamespace(signature=types.SimpleNamespace(name="inference"), node_def=body),
        types.SimpleNamespace(
            signature=types.SimpleNamespace(name="TRTEngineOp_0"), node_def=[node("Conv2D")]
        ),
    ]
    library = types.SimpleNamespace(function=functions)
    graph = types.SimpleNamespace(node=[node("Placeholder"), node("PartitionedCall")], library=library)
    assert tftrt.count_nodes(graph) == {"tensorrt": 1, "tensorflow": 1}


@pytest.mark.parametrize("backend", [tensorrt, tftrt])
def test_no_gpu_is_said_before_anything_is_imported(backend):
    with pytest.raises(Unsupported, match="NVIDIA GPUs only"):
        backend.Runtime(Opening("onnx", Path("m.onnx"), "", ("x",), ("y",), "fp32", "cpu", 1))


class Stream:
    """Device memory by address, filled and read as a CUDA stream does it."""

    def __init__(self):
        self.memory, self.asked = {}, []
        self.allocated_bytes = self.peak_bytes = 0

    def ask(self, call, *arguments):
        self.asked.append(call)
        return 100 + len(self.asked)

    def copy_in(self, address, array):
        self.memory[address] = array.copy()

    def copy_out(self, array, address):
        array[...] = self.memory[address]

    def synchronise(self):
        pass


def copying_runtime(images, mode="host"):
    """Return a runtime whose engine is a copy from input to output, and its stream."""
    stream = Stream()
    runtime = object.__new__(tensorrt.Runtime)
    runtime._cuda, runtime._copier = stream, Copier(4)
    runtime._opening = Opening("onnx", Path("m.onnx"), "", ("x",), ("y",), "fp32", "cuda", 4, mode=mode)
    runtime._prepared = {
        len(images): types.SimpleNamespace(
            staged_in=[types.SimpleNamespace(array=np.zeros_like(images))],
            staged_out=[types.SimpleNamespace(array=np.zeros_like(images))],
            inputs=[types.SimpleNamespace(address=1)],
            outputs=[types.SimpleNamespace(address=2)],
            start=lambda inputs: stream.memory.update({2: stream.memory[inputs[0].address]}),
        )
    }
    return runtime, stream


def test_a_batch_is_whole_in_page_locked_memory_before_it_is_copied_over():
    """Enough rows for several threads."""
    images = np.random.default_rng(0).normal(size=(64, 3, 160, 160)).astype(np.float32)
    runtime, _ = copying_runtime(images)
    for batch in (images, -images):
        (output,) = runtime.run((batch,))
        assert np.array_equal(output, batch)


@pytest.mark.parametrize(("mode", "calls"), [("host", []), ("device", ["cudaMalloc", "cudaFree"])])
def test_phases_go_the_way_of_their_mode(mode, calls):
    """Host mode allocates nothing: it fills the buffers that it has."""
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    runtime, stream = copying_runtime(images, mode)
    assert set(runtime.phases((images,))) == {"copy_in", "enqueue", "compute", "copy_out"}
    assert stream.asked == calls
    ready = runtime._prepared[2]
    assert np.array_equal(ready.staged_in[0].array, images) == (mode == "host")
    assert np.array_equal(ready.staged_out[0].array, images)


def test_the_peak_is_what_engines_tell_and_own_buffers():
    runtime, stream = copying_runtime(np.zeros((2, 3), np.float32))
    engine = types.SimpleNamespace(get_engine_stat=lambda kind: {7: 1000}[kind], device_memory_size_v2=200)
    trt = types.SimpleNamespace(EngineStat=types.SimpleNamespace(TOTAL_WEIGHTS_SIZE=7))
    ready = object.__new__(tensorrt._Prepared)
    ready.engine, ready.trt = engine, trt
    runtime._prepared = {2: ready, 1: ready}
    held = tensorrt.DeviceBuffer(stream, 30)
    del held
    kept = tensorrt.DeviceBuffer(stream, 20)
    assert runtime.device_peak_bytes() == 2 * (1000 + 200) + 30
    runtime.reset_device_peak()
    assert runtime.device_peak_bytes() == 2 * (1000 + 200) + 20
    ready.engine = types.SimpleNamespace(device_memory_size=200)
    assert ready.memory() == {"weights_bytes": None, "activations_bytes": 200}
    assert runtime.device_peak_bytes() is None, "without the weights it is no peak"
    assert kept.address


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Run the trial in the real environment of TensorRT for RTX and return what it printed."""
    folder = tmp_path_factory.mktemp("trial")
    wanted = requirements.read("tensorrt-rtx", "cuda13")
    try:
        environment = environments.ensure(wanted, folder / "build.log", lambda text: None)
    except EnvironmentBuildError as error:
        missing(str(error))
    source = Path(trt_build.__file__).parents[3]
    done = subprocess.run(
        [environment.python, "-P", TRIAL, source, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.environment
class TestRealBuilder:
    """Needs no GPU: TensorRT for RTX builds for the card it is told of."""

    def test_engines_for_an_a2(self, trial):
        for precision in ("fp32", "tf32", "fp16", "bf16"):
            facts = trial["engines"][precision]
            assert facts["target"] == "sm_86"
            assert facts["tf32"] == (precision == "tf32")
            assert facts["bytes"] > 1000
            assert not facts["cached"]

    def test_precision_is_in_the_graph(self, trial):
        types_ = {name: facts["layer_types"] for name, facts in trial["engines"].items()}
        assert set(types_["fp32"]) - {"other"} == {"fp32"} == set(types_["tf32"]) - {"other"}  # other: shapes
        assert types_["fp16"]["fp32"] == 1  # the cast at the output
        assert types_["fp16"]["fp16"] > 5
        assert types_["bf16"]["bf16"] > 5
        assert types_["bf16"]["fp32"] > types_["fp16"]["fp32"]  # hardswish, which the parser refuses in bf16
        for precision, found in types_.items():
            assert tensorrt.precision_of(Counter(found), precision, precision == "tf32") == precision

    def test_half_precision_graph_computes_the_same_function(self, trial):
        assert 0 < trial["half_error"] < 5e-3

    def test_second_build_comes_from_the_cache(self, trial):
        assert trial["again"]["cached"]
        assert trial["again_equal"]

    def test_other_shape_is_another_engine(self, trial):
        assert not trial["other_shape"]["cached"]

    def test_weights_in_other_files_belong_to_the_engine(self, trial):
        assert trial["outside"] == [[True, False], [True, False]]

    def test_engines_tell_their_memory(self, trial):
        assert trial["tells_memory"] == [True, True]

    @pytest.mark.parametrize(
        ("what", "words"),
        [
            ("sm_90", "does not build for sm_90"),
            ("int8", "needs an ONNX file with QuantizeLinear"),
            ("garbage", "cannot parse the ONNX file"),
            ("static", "fixes input 'x' to"),
            ("range", "beyond fp16's 65504"),
        ],
    )
    def test_refusals_say_why(self, trial, what, words):
        kind, text = trial["refusals"][what]
        assert kind == "Unsupported"
        assert words in text

    def test_quantised_graph(self, trial):
        assert trial["int8"]["layer_types"].get("int8", 0) >= 1
