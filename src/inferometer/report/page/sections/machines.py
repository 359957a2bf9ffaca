"""What is known of each machine."""

from __future__ import annotations

from inferometer.records import Machine
from inferometer.report.page.sections import Content
from inferometer.units import significant, size

ORDER, TITLE = 70, "Machines"


def build(content: Content) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return each machine's label and what is known of it, as (name, text)."""
    return tuple((label, machine_facts(machine)) for label, machine in content.results.machines.items())


def machine_facts(machine: Machine) -> tuple[tuple[str, str], ...]:
    """Return what is known of a machine as (name, text)."""
    cores = f"{machine.physical_cores} cores, {machine.logical_cores} threads, {machine.usable_cores} usable"
    facts = [
        ("Host", machine.hostname),
        ("CPU", machine.cpu),
        ("Cores", cores if machine.physical_cores or machine.usable_cores else ""),
        ("Governor", machine.governor),
        ("Memory", size(machine.memory_bytes) if machine.memory_bytes else ""),
        ("System", ", ".join(part for part in (machine.os, machine.kernel) if part)),
        ("Virtualization", machine.virtualization),
        ("Python", machine.python),
    ]
    for gpu in machine.gpus:
        details = [
            gpu.name,
            size(gpu.memory_bytes) if gpu.memory_bytes else "",
            f"driver {gpu.driver}" if gpu.driver else "",
            f"CUDA {gpu.cuda}" if gpu.cuda else "",
            f"compute capability {gpu.compute_capability}" if gpu.compute_capability else "",
            f"power limit {significant(gpu.power_limit_w)} W" if gpu.power_limit_w else "",
        ]
        facts.append((f"GPU {gpu.index}", ", ".join(part for part in details if part)))
    return tuple((name, value) for name, value in facts if value)
