"""PyTorch models of every kind in their real environments, and ONNX files on their way to other forms."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import inferometer
from inferometer.errors import ModelError, UsageError
from inferometer.models.contract import FORMS, ModelRequest
from inferometer.models.sources import resolve
from parts import missing
from steprunner import interpreter
from taken_home import assert_answers_as_it_did

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of small PyTorch models."""
    folder = tmp_path_factory.mktemp("torch")
    for environment, what in (("torch-models", "torch"), ("torch", "onnx")):
        python = interpreter(environment, folder / "environment.log")
        script = Path(__file__).with_name("torch_files.py")
        subprocess.run([python, script, folder, what], check=True, capture_output=True)
    return folder


_WEIGHTS = tuple(form for form in FORMS if form.endswith("-weights"))
ELSEWHERE = ("inductor-int8", "xnnpack-int8", *_WEIGHTS)  # the tests of exports have them


def test_a_network_of_timm_reaches_every_form_but_keras(reach):
    prepared = reach("timm:test_resnet", *(form for form in FORMS if form not in ELSEWHERE))
    refused = prepared.missing.pop("tflite-int8")  # of a network that onnx2tf made, where XNNPACK fails
    assert "TensorFlow's quantiser wrote a file that LiteRT refuses: failed to create XNNPACK" in refused
    assert prepared.missing == {
        "keras": "needs a Keras file, and no conversion leads there from a torch exported program"
    }
    assert all(
        item.parity["passed"] and item.inputs[0].shape[0] is None for item in prepared.artifacts.values()
    )
    ways = {form: item.via for form, item in prepared.artifacts.items()}
    assert ways == {
        "exported": "",
        "onnx": "",
        "savedmodel": "onnx2tf",
        "tflite": "litert-torch",
        "jaxexport": "torchax",
        "onnx-int8": "",
        "openvino-int8": "",
    }
    assert prepared.artifacts["savedmodel"].layout == "NHWC" and prepared.layout == "NCHW"
    assert prepared.info.conversions["tflite"]["route"] == ["exported", "tflite"]
    assert prepared.info.data.startswith("4 default photos")
    assert prepared.info.weights == "random (seed 0)"


def test_a_transformer_keeps_its_batch_free(reach):
    prepared = reach("timm:test_vit", "exported", "onnx", "jaxexport")
    assert set(prepared.artifacts) == {"exported", "onnx", "jaxexport"}


def test_a_configuration_of_transformers_gets_tokens_and_a_mask_of_ones(reach, files):
    prepared = reach(f"hf:{files / 'bert'}", "exported", "onnx", "jaxexport", shapes={"sequence": 16})
    assert set(prepared.artifacts) == {"exported", "onnx", "jaxexport"}
    ids, mask = _arrays(prepared.inputs)
    assert ids.shape[1] == 16 and 2 < ids.max() < 300 and (mask == 1).all()


def _arrays(path):
    from inferometer.models.step_cache import read_arrays

    return read_arrays(path)


def test_weights_are_the_same_model_whatever_holds_them(reach, files):
    found = {
        name: reach(files / name, "exported", architecture="timm:test_resnet").info.hash
        for name in ("bare.pth", "safe.safetensors", "wrapped.pt")
    }
    assert len(set(found.values())) == 1


def test_weights_that_do_not_fit_name_the_first(reach, files):
    with pytest.raises(
        ModelError,
        match=r"the weights of bare.pth do not fit the architecture: it lacks \S+, \S+, \S+ and \d+ more, "
        r"has .*unknown \S+, \S+, \S+ and \d+ more",
    ):
        reach(files / "bare.pth", "exported", architecture="timm:test_vit")


def test_a_pickle_of_code_is_not_run(reach, files):
    with pytest.raises(
        ModelError,
        match=r"whole.pth is a pickle that would run timm.*timm.models.resnet.ResNet, .* more; give --trust-model",
    ):
        reach(files / "whole.pth", "exported", architecture="timm:test_resnet")


def test_an_archive_that_unpacks_to_far_more_is_refused(reach, files):
    with pytest.raises(ModelError, match=r"bomb.pth unpacks to 0.2 GiB from 0 MiB, .*: refused"):
        reach(files / "bomb.pth", "exported", architecture="timm:test_resnet")


def test_an_exported_program_with_inputs_by_name_and_outputs_by_name(reach, files):
    prepared = reach(files / "two.pt2", "exported", "onnx", "jaxexport")
    assert set(prepared.artifacts) == {"exported", "onnx", "jaxexport"}
    assert [item["name"] for item in prepared.info.inputs] == ["x", "ids"]
    assert _arrays(prepared.inputs)[1].max() > 1  # of its embedding's 30


def test_the_users_own_factory(reach, files):
    prepared = reach(f"{files / 'net.py'}:build", "exported", trust_model=True)
    assert prepared.artifacts["exported"].parity["passed"]
    with pytest.raises(ModelError, match=r"net.py:absent failed: ValueError: it has no absent"):
        reach(f"{files / 'net.py'}:absent", "exported", trust_model=True)


def test_the_users_own_batch_norms_are_left_alone(reach, files):
    prepared = reach(f"{files / 'net.py'}:trained", "exported", trust_model=True)
    (rows,), (outputs,) = _arrays(prepared.inputs), _arrays(prepared.reference)
    assert outputs == pytest.approx(rows, rel=1e-4)
    assert prepared.info.weights == "its own"


def test_an_output_that_has_no_rows_is_told(reach, files):
    with pytest.raises(ModelError, match=r"output 1 is of shape \(\) for one row and \(\) for two"):
        reach(f"{files / 'net.py'}:summed", "exported", trust_model=True)


def test_a_program_with_a_limit_keeps_its_batch_free(reach, files):
    prepared = reach(files / "limited.pt2", "exported")
    assert prepared.artifacts["exported"].inputs[0].shape[0] is None


def test_a_program_that_computes_in_halves_is_computed_in_fp32(reach, files):
    prepared = reach(files / "halved.pt2", "exported", "onnx")
    assert set(prepared.artifacts) == {"exported", "onnx"}
    assert prepared.checks.stored == "fp16"
    assert prepared.stored is None and prepared.info.conversions["exported"]["widened"]


def test_a_program_that_torchao_quantised_is_measured_as_it_is(files, tmp_path):
    result = inferometer.run(
        files / "quantised.pt2", frameworks="torch", batch_sizes=2, preset="quick", rounds=1, threads=1,
        out=tmp_path / "run",
    )  # fmt: skip
    (record,) = result.run.records
    assert (record.cell.precision, record.status, record.cause) == ("stored-mixed", "ok", "")
    assert [f.values for f in record.flags if f.kind == "partly-float"] == [{"left": 2, "total": 2}]
    assert result.run.info.model.conversions["exported"]["holds"] == {"int8": 1, "fp32": 1}
    assert_answers_as_it_did(result.run.path, "torch/stored-mixed/2", tmp_path / "deploy")


def test_texts_are_as_long_as_a_configuration_has_places(reach, files):
    ids, _ = _arrays(reach(f"hf:{files / 'bert'}", "exported").inputs)
    assert ids.shape[1] == 62
    with pytest.raises(ModelError, match="joins texts and images"):
        reach(f"hf:{files / 'clip'}", "exported")


def test_a_detector_of_one_stage_gives_what_its_heads_give(reach):
    prepared = reach("torchvision:ssdlite320_mobilenet_v3_large", "exported")
    assert [item.shape[1:] for item in prepared.artifacts["exported"].outputs] == [(3234, 4), (3234, 91)]


def test_a_script_needs_to_be_shown_its_inputs(reach, files):
    with pytest.raises(
        ModelError, match=r"give --input FILE.npz with arrays input, or --shape input.1=N and so on"
    ):
        reach(files / "script.pt", "exported")
    with pytest.raises(
        ModelError, match=r"does not have: x.1; the script's inputs are input: give --shape input.1=N"
    ):
        reach(files / "script.pt", "exported", shapes={"x.1": 3})
    shaped = reach(files / "script.pt", "exported", shapes={"input.1": 3, "input.2": 16, "input.3": 16})
    assert shaped.artifacts["exported"].inputs[0].shape == (None, 3, 16, 16)
    prepared = reach(files / "script.pt", "exported", "onnx", inputs=files / "rows.npz")
    assert set(prepared.artifacts) == {"exported", "onnx"}


def test_names_that_no_library_has(reach):
    with pytest.raises(ModelError, match=r"timm has no model 'test_resnets'; did you mean test_resnet"):
        reach("timm:test_resnets", "exported")
    with pytest.raises(
        ModelError, match=r"timm has no model 'nosuch'; it has 1,\d+, such as resnet18 and vit"
    ):
        reach("timm:nosuch", "exported")
    with pytest.raises(ModelError, match="torchvision has no model 'resnet19'; did you mean"):
        reach("torchvision:resnet19", "exported")
    with pytest.raises(ModelError, match="gives every image a list of its own length"):
        reach("torchvision:fasterrcnn_resnet50_fpn", "exported")


def test_weights_of_a_hub_that_cannot_be_reached(reach, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="cannot fetch the pretrained weights of timm:resnet18"):
        reach("timm:resnet18", "exported", weights="pretrained")


def test_an_onnx_network_reaches_torch_tensorflow_litert_and_jax(reach, files):
    prepared = reach(files / "detector.onnx", *(form for form in FORMS if form not in _WEIGHTS))
    ways = {form: item.via for form, item in prepared.artifacts.items()}
    assert ways["exported"] == "onnx2torch" and ways["jaxexport"] == "onnx2torch, torchax"


def test_a_module_of_the_callers_own_process(files, tmp_path):
    """The caller's interpreter has torch, inferometer has none."""
    python = interpreter("torch-models", tmp_path / "environment.log")
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2] / "src"), str(files)]!r}
sys.path += {[path for path in sys.path if path.endswith("site-packages")]!r}
import inferometer, net, torch
module, examples = net.build()
module.train()
result = inferometer.run(
    module, example_inputs=examples, frameworks="torch,onnxrt", batch_sizes=[2], images=4, loops=2, warmup=1, rounds=1,
    threads=1, out={str(tmp_path / "run")!r},
)
assert module.training
half = inferometer.run(
    torch.nn.Linear(8, 4).bfloat16(), example_inputs=torch.randn(1, 8).bfloat16(), frameworks="torch", batch_sizes=[2],
    images=4, loops=2, warmup=1, rounds=1, threads=1, out={str(tmp_path / "half")!r},
)
found = [*result.results.summaries, *half.results.summaries]
print([(s.model, s.cell.framework, s.status) for s in found])
print([flag.kind for record in half.run.records for flag in record.flags])
for wrong in (3, module):
    try:
        inferometer.run(wrong)
    except inferometer.errors.UsageError as error:
        print(error)
"""
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "('Two', 'torch', 'ok')" in done.stdout and "('Two', 'onnxrt', 'ok')" in done.stdout
    assert "('Linear', 'torch', 'ok')" in done.stdout and "widened" in done.stdout
    assert "cannot measure a int; give a torch.nn.Module" in done.stdout
    assert "give example_inputs=tensor" in done.stdout


KERNEL = """
import sys
sys.path[:0], sys.path[len(sys.path):] = {first!r}, {last!r}
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""
CELLS = (
    "import inferometer, torch",
    "net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))",
    "result = inferometer.run(net, example_inputs=torch.randn(1, 8), frameworks='torch,onnxrt', batch_sizes=[2], images=4, "
    "loops=2, warmup=1, rounds=1, threads=1, out={out!r})",
    "result",
)


def test_one_call_in_a_notebook(tmp_path, monkeypatch):
    try:
        import ipykernel  # noqa: F401
        import nbformat
        from nbclient import NotebookClient
    except ImportError as error:
        missing(f"no notebook here: {error}")
    kernel = tmp_path / "jupyter/kernels/with-torch"
    kernel.mkdir(parents=True)
    last = [path for path in sys.path if path.endswith("site-packages")]
    code = KERNEL.format(first=[str(Path(__file__).parents[2] / "src")], last=last)
    python = str(interpreter("torch-models", tmp_path / "environment.log"))
    spec = {
        "argv": [python, "-c", code, "-f", "{connection_file}"],
        "display_name": "torch",
        "language": "python",
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    cells = [
        nbformat.v4.new_code_cell(cell.replace("{out!r}", repr(str(tmp_path / "run")))) for cell in CELLS
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=300, kernel_name="with-torch").execute()
    (shown,) = notebook.cells[-1].outputs
    assert shown.data["text/html"].startswith("<table") and "onnxrt" in shown.data["text/html"]


def test_a_file_without_trust_or_architecture_is_refused_before_anything_runs(files):
    with pytest.raises(UsageError, match="--trust-model"):
        resolve(ModelRequest(f"{files / 'net.py'}:build"))
    with pytest.raises(UsageError, match="without their architecture"):
        resolve(ModelRequest(str(files / "bare.pth")))
