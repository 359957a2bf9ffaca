"""Which products of a quantised program ran in integers, by what a profile, a package or XNNPACK's graph names."""

import zipfile
from types import SimpleNamespace

from inferometer.worker.backends.parts import torch_integers, xnnpack_integers


class Profile:
    """A profile of one run: events as torch's profiler hands them over, each with the one around it."""

    def __init__(self, *paths):
        self._events = [self._event(path.split(" > ")) for path in paths]
        self.activities = ()

    def _event(self, names):
        event = None
        for name in names:
            event = SimpleNamespace(name=name, cpu_parent=event)
        return event

    def __call__(self, activities):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def events(self):
        return self._events


def ran(*paths):
    profiler = SimpleNamespace(profile=Profile(*paths), ProfilerActivity=SimpleNamespace(CPU=0))
    return torch_integers.ran(SimpleNamespace(profiler=profiler), lambda: None)


def test_a_profile_is_counted_by_its_outermost_products():
    region = "Torch-Compiled Region: 0/0"
    assert ran(
        region, f"{region} > onednn::qconv_pointwise", f"{region} > onednn::qlinear_pointwise",
        f"{region} > mkldnn::_convolution_pointwise", f"{region} > aten::linear", f"{region} > aten::linear > aten::addmm",
        f"{region} > mkl::_mkl_linear", f"{region} > aten::_scaled_dot_product_flash_attention_for_cpu",
        f"{region} > aten::empty", f"{region} > onednn::qconv_prepack",
    ) == {"int8": 2, "float32": 4}  # fmt: skip


def test_a_program_without_patterns_ran_in_floats():
    assert ran("aten::convolution", "aten::convolution > aten::mkldnn_convolution") == {"float32": 1}


def test_a_package_is_counted_by_the_kernels_that_its_code_calls(tmp_path):
    code = """
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__qconv_pointwise_tensor(buf0, one));
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__qlinear_pointwise_tensor(buf1, one));
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mkldnn__convolution_pointwise(buf2, one));
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_addmm_out(buf3, one));
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mkl__mkl_linear(buf3, one));
    aoti_torch_cpu_empty_strided(buf4);
    """
    with zipfile.ZipFile(tmp_path / "package.pt2", "w") as archive:
        archive.writestr("a/data/aotinductor/model/c.wrapper.cpp", code)
        archive.writestr("a/data/aotinductor/model/c.kernel.cpp", code)
    assert torch_integers.called(tmp_path / "package.pt2") == {"int8": 2, "float32": 3}


def test_xnnpacks_graph_is_counted_by_the_first_input_of_its_products():
    def value(place, kind, *, quantised):
        tensor = {"datatype": f"xnn_datatype_{kind}", "id_out": place}
        return {"xvalue_union": {"tensor_value": tensor} if quantised else tensor}

    def node(kind, **inputs):
        return {"xnode_union_type": kind, "xnode_union": inputs}

    graph = {
        "xvalues": [value(0, "qint8", quantised=True), value(1, "fp32", quantised=False)],
        "xnodes": [
            node("XNNConv2d", input1_id=0), node("XNNFullyConnected", input1_id=1), node("XNNClamp", input_id=0),
            node("XNNScaledDotProductAttention", query_id=1),
        ],
    }  # fmt: skip
    assert xnnpack_integers._types(graph) == ["int8", "float32", "float32"]
