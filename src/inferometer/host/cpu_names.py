"""What a CPU is called: by its model name, or on ARM, which gives none, by who designed which core."""

from __future__ import annotations

_DESIGNERS = {
    0x41: "Arm",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x61: "Apple",
    0x6D: "Microsoft",
    0x70: "Phytium",
    0xC0: "Ampere",
}
_CORES = {  # (implementer, part) of the main ID register, as `lscpu` knows them: those of servers and of boards
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD85): "Cortex-X925",
    (0x41, 0xD87): "Cortex-A725",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan-v110",
    (0x4E, 0x004): "Carmel",
    (0x6D, 0xD49): "Azure-Cobalt-100",
    (0xC0, 0xAC3): "1",
    (0xC0, 0xAC4): "1A",
}


def cpu_name(cpuinfo: str, otherwise: str) -> str:
    """Return the CPU's name from the text of /proc/cpuinfo; ``otherwise`` where it tells none.

    Several kinds of core are all named: "Arm Cortex-A55 + Arm Cortex-A76". A core that is not listed is told by its numbers.
    """
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    facts = [(name.strip(), value.strip()) for name, _, value in lines]
    models = [value for name, value in facts if name == "model name" and not value.startswith("ARMv")]
    if models:
        return models[0]
    designers = [value for name, value in facts if name == "CPU implementer"]
    parts = [value for name, value in facts if name == "CPU part"]
    cores = dict.fromkeys(zip(designers, parts, strict=False))
    return " + ".join(_core(designer, part) for designer, part in cores) or otherwise


_REVISION = {  # field of /proc/cpuinfo: what it is called here
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
    "CPU variant": "variant",
    "CPU revision": "revision",
    "microcode": "microcode",
}


def cpu_revision(cpuinfo: str) -> str:
    """Return what tells CPUs of one name apart: "family 6, model 143, stepping 8, microcode 0x2b000590"; "" if not told."""
    first = cpuinfo.strip().partition("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    return ", ".join(f"{title} {facts[name]}" for name, title in _REVISION.items() if facts.get(name))


def _core(designer: str, part: str) -> str:
    try:
        numbers = int(designer, 16), int(part, 16)
    except ValueError:
        return f"ARM core {designer} {part}"
    name = _CORES.get(numbers, f"core {part}")
    return f"{_DESIGNERS.get(numbers[0], f'ARM implementer {designer}')} {name}"
