"""Where a framework's configurations can be had."""

import dataclasses

import pytest

from inferometer.errors import UsageError
from inferometer.frameworks.catalogue import _ALL, FRAMEWORKS, environment_names, parse_choice


@pytest.mark.parametrize(
    ("name", "device", "precision", "mode", "part"),
    [
        ("torch", "cpu", "fp32", "host", ""),
        ("torch", "cpu", "tf32", "host", "not tf32"),
        ("torch", "cpu", "fp32", "host-pipelined", "no mode 'host-pipelined'"),
        ("torch", "cuda", "fp16", "host-pipelined", ""),
        ("torch:cudagraph", "cpu", "fp32", "host", "kind cuda"),
        ("torch:cudagraph+channels_last", "cuda", "fp16", "device", ""),
        ("torch:naive", "cuda", "fp32", "device", "for mode host"),
        ("torch:cudagraph+naive", "cuda", "fp32", "host", "exclude each other"),
        ("torch:autocast", "cuda", "fp32", "host", "for fp16, bf16"),
        ("torch:autocast", "cuda", "bf16", "host", ""),
        ("torch-compile:autocast", "cpu", "bf16", "device", ""),
        ("torch-compile:autocast", "cuda", "fp16", "host-pipelined", "for mode host, device"),
        ("torch-compile:autocast", "cuda", "tf32", "host", "for fp16, bf16"),
        ("onnxrt", "cpu", "fp16", "host", "computes in fp32"),
        ("onnxrt:io-binding+cudagraph", "cuda", "fp16", "device", ""),
        ("onnxrt:naive+io-binding", "cuda", "fp32", "host", "exclude each other"),
        ("jax:naive", "cuda", "fp16", "host", ""),
        ("jax:naive", "cpu", "fp32", "host", "kind cuda"),
        ("jax:naive", "cuda", "fp32", "host-pipelined", "for mode host"),
        ("tftrt", "cuda", "tf32", "host", ""),
        ("tftrt", "cuda", "bf16", "host", "not bf16"),
        ("tftrt:naive", "cuda", "fp16", "host", ""),
        ("tftrt:naive", "cuda", "fp16", "device", "for mode host"),
        ("torch-compile:reduce-overhead+max-autotune", "cuda", "fp32", "host", ""),
    ],
)
def test_what_stands_in_the_way(name, device, precision, mode, part):
    unsupported_reason = parse_choice(name).unsupported_reason(device, precision, mode)
    assert part in unsupported_reason and bool(part) == bool(unsupported_reason)


def test_variants_add_up():
    options = parse_choice("torch-compile:reduce-overhead+max-autotune").options
    assert options == {"compile": True, "cudagraphs": True, "max_autotune": True}


def test_unknown_variants_name_the_nearest():
    with pytest.raises(UsageError, match="channels_last"):
        parse_choice("torch:channel_last")


def test_a_variant_with_a_value_has_an_environment_of_its_own():
    choice = parse_choice("onnxrt:ep=openvino")
    assert choice.label == "onnxrt:ep=openvino" and choice.options == {"plugin": "openvino"}
    assert choice.environment == "onnxrt-ep-openvino" and choice.environment in environment_names()
    assert parse_choice("onnxrt").environment == "onnxrt"
    assert choice.unsupported_reason("cpu", "fp32", "host") == ""
    assert choice.unsupported_reason("cpu", "int8", "host") == "onnxrt:ep=openvino is for fp32, not int8"
    assert "exclude each other" in parse_choice("onnxrt:ep=openvino+io-binding").unsupported_reason(
        "cpu", "fp32", "host"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("onnxrt:ep", "onnxrt:ep needs a value, as in onnxrt:ep=openvino"),
        ("onnxrt:ep=openvin", "openvino"),
        ("onnxrt:io-binding=2", "onnxrt:io-binding takes no value"),
    ],
)
def test_values_are_checked(text, words):
    with pytest.raises(UsageError, match=words):
        parse_choice(text)


def test_the_form_depends_on_the_precision_where_the_framework_says_so():
    assert FRAMEWORKS["tf"].forms_at("fp32") == FRAMEWORKS["tf"].forms_at("tf32") == ("savedmodel",)
    assert FRAMEWORKS["tf"].forms_at("fp16") == FRAMEWORKS["tf"].forms_at("bf16") == ("keras",)
    assert FRAMEWORKS["torch"].forms_at("fp16") == ("exported",)
    assert FRAMEWORKS["jax"].forms_at("fp32") == ("keras", "jaxexport")


def test_every_exclusion_names_a_variant_of_some_framework():
    known = {name for framework in FRAMEWORKS.values() for name in framework.variants}
    for framework in FRAMEWORKS.values():
        for variant in framework.variants.values():
            assert set(variant.excludes) <= known
            assert dataclasses.is_dataclass(variant) and variant.title


def test_no_framework_is_registered_twice():
    assert len(_ALL) == len(FRAMEWORKS)
