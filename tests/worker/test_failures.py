"""What a row says where its framework cannot do what was asked."""

import pytest

from inferometer.models.steps import onnx_savedmodel
from inferometer.worker.backends import mnn, ncnn, openvino
from inferometer.worker.failures import Misplaced, Unsupported, failure_text

UNCONVERTED = """Check 'false' failed at unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted.
Summary:
-- No conversion rule found for operations: DynamicQuantizeLSTM-17, Frobnicate-1
"""


@pytest.mark.parametrize("kind", [Unsupported, Misplaced])
def test_words_of_ours_need_no_type_before_them(kind):
    assert failure_text(kind("MNN has no\noperator Frobnicate")) == "MNN has no operator Frobnicate"
    assert failure_text(kind()) == kind.__name__
    assert failure_text(RuntimeError("no such file")) == "RuntimeError: no such file"


def test_openvino_names_the_operators_that_it_lacks():
    assert openvino._refusal(UNCONVERTED) == "OpenVINO has no operator DynamicQuantizeLSTM-17, Frobnicate-1"
    failed = UNCONVERTED.replace("No conversion rule found for operations:", "Conversion is failed for:")
    assert "cannot convert operator DynamicQuantizeLSTM-17, Frobnicate-1 as" in openvino._refusal(failed)
    assert openvino._refusal("Check failed at a.cpp:3:\nno such opset\n").endswith("file: no such opset")


def test_a_converter_that_dies_is_told_with_its_signal():
    stages = "############# pass_level5\n############# pass_ncnn\n"
    assert ncnn._refusal(stages, -11) == "pnnx cannot convert this file: it died of SIGSEGV after: pass_ncnn"
    assert ncnn._refusal("no such file\n\n", 1) == "pnnx cannot convert this file: no such file"
    assert mnn._refusal("reading\n", -6).endswith("it died of SIGABRT after: reading")
    assert mnn._refusal("", 1).endswith("it ended with 1")


def test_an_error_without_words_is_told_by_its_type():
    assert onnx_savedmodel._cause("", KeyError("")) == "KeyError ''"
    assert onnx_savedmodel._cause("onnx_op_type: Loop", KeyError("")) == "operator Loop: KeyError ''"
    assert onnx_savedmodel._cause("", ValueError("no shape")) == "no shape"
