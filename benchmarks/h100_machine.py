"""The machine that h100.py measures on, and one run of inferometer's there that a deadline may interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

MODEL = "mobilenet_v3_large"
FRAMEWORKS = ("tf", "onnxrt", "torch", "jax")  # environments that may have an interpreter below ROOT/bin
GRACE_S = 20  # from an interrupt to the end of a run that has to write its records


@dataclass(frozen=True)
class Machine:
    """Where things are on the machine that measures."""

    root: Path
    work: Path
    device: str
    devices: str  # of the step two-gpus
    tiny: bool
    sizes: str = ""  # batch sizes of study, others and precisions; "": theirs

    def pythons(self, **replaced: str) -> list[str]:
        """Return the --python options of the interpreters that are there."""
        options = []
        for name in FRAMEWORKS:
            program = self.root / "bin" / replaced.get(name, name)
            if program.exists():
                options += ["--python", f"{name}={program}"]
        return options

    def has(self, *environments: str) -> bool:
        """Return whether these environments have an interpreter."""
        return all((self.root / "bin" / name).exists() for name in environments)

    def environment(self) -> dict[str, str]:
        """Return the variables that every child gets."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
        return {**kept, "INFEROMETER_CACHE": str(self.root / "cache"), "PYTHONUNBUFFERED": "1"}

    def inferometer(self, *arguments: str) -> list[str]:
        """Return a command line of inferometer's."""
        return [str(self.root / "bin" / "core"), "-m", "inferometer", *arguments]


class Deadline:
    """What is left of this call."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    def left_s(self) -> float:
        return self._end - time.monotonic()


def call(machine: Machine, command: list[str], deadline: Deadline, log: Path) -> int | None:
    """Run a command, its output into ``log`` and its end shown; None if the deadline interrupted it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        child = subprocess.Popen(
            command, stdout=output, stderr=output, env=machine.environment(), start_new_session=True
        )
        try:
            return child.wait(max(1.0, deadline.left_s()))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
            return None


def run(machine: Machine, name: str, deadline: Deadline, *options: str) -> bool:
    """Measure into WORK/results/NAME, or go on with it; True once every cell has ended and something was measured."""
    out = machine.work / "results" / name
    log = machine.work / "logs" / f"{name}.log"
    if (out / "run.json").exists():
        command = machine.inferometer("run", "--resume", str(out))
    else:
        device = () if "--device" in options else ("--device", machine.device)
        command = machine.inferometer("run", MODEL, *machine.pythons(), *device, "--out", str(out), *options)
    return logged(machine, name, command, deadline, log)


def logged(machine: Machine, name: str, command: list[str], deadline: Deadline, log: Path) -> bool:
    """Run a command, print how it ended and the end of its log; True if it ended well."""
    begin = time.monotonic()
    code = call(machine, command, deadline, log)
    print(
        f"{name}: {'interrupted' if code is None else f'exit {code}'} after {time.monotonic() - begin:.0f} s"
    )
    show(log)
    return code == 0


def show(log: Path, lines: int = 45) -> None:
    """Print the end of a log."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    print("\n".join(line[:220] for line in text[-lines:]), flush=True)
