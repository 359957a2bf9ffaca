"""CPU names from the kernel's text, of machines that are not at hand."""

import pytest

from inferometer.host.cpu_names import cpu_name, cpu_revision


def arm(*cores, model=""):
    lines = []
    for number, (designer, part) in enumerate(cores):
        lines += [f"processor\t: {number}", *([f"model name\t: {model}"] if model else [])]
        lines += [f"CPU implementer\t: {designer}", "CPU architecture: 8", f"CPU part\t: {part}", ""]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 9554\n\nmodel name\t: AMD EPYC 9554\n", "AMD EPYC 9554"),
        (arm(*[("0x41", "0xd0c")] * 64), "Arm Neoverse-N1"),
        (arm(*[("0x41", "0xd40")] * 64), "Arm Neoverse-V1"),
        (arm(("0x41", "0xd05"), ("0x41", "0xd0b")), "Arm Cortex-A55 + Arm Cortex-A76"),
        (arm(("0xc0", "0xac3")), "Ampere 1"),
        (arm(("0x41", "0xd08"), model="ARMv7 Processor rev 3 (v7l)"), "Arm Cortex-A72"),
        (arm(("0x41", "0xfff")), "Arm core 0xfff"),
        (arm(("0x99", "0x1")), "ARM implementer 0x99 core 0x1"),
        ("processor\t: 0\nisa\t: rv64imafdc\n", "riscv64"),
    ],
)
def test_names(text, name):
    assert cpu_name(text, "riscv64") == name


def test_cpus_of_one_name_are_told_apart_by_their_revision():
    first = "cpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon\nstepping\t: 8\nmicrocode\t: 0x2b000590\n"
    assert cpu_revision(first + "\n" + first) == "family 6, model 143, stepping 8, microcode 0x2b000590"
    assert cpu_revision("CPU variant\t: 0x3\nCPU revision\t: 1\n") == "variant 0x3, revision 1"
    assert cpu_revision("") == ""
