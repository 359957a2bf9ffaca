import pytest

from inferometer.host.instructions import int8_unit, saturates


@pytest.mark.parametrize(
    ("flags", "unit", "overflows"),
    [
        ("fpu avx2 avx512f avx512bw avx512_vnni amx_int8", "AMX", False),
        ("avx2 avx512bw avx512_vnni", "AVX-512 VNNI", False),
        ("avx2 avx_vnni", "AVX-VNNI", False),
        ("avx2 avx512f avx512bw", "AVX-512 without VNNI", True),
        ("sse4_2 avx2", "AVX2 without VNNI", True),
        ("sse4_2", "", False),
    ],
)
def test_the_best_instructions_for_8_bit_integers(flags, unit, overflows):
    assert int8_unit(f"model name\t: x\nflags\t\t: {flags}\n") == unit
    assert saturates(unit) is overflows


def test_arm_calls_them_features():
    assert int8_unit("Features\t: fp asimd asimddp i8mm\n") == "I8MM"
    assert int8_unit("") == ""
