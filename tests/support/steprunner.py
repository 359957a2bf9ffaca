"""Runs steps in real environments: the project's own, or interpreters named by INFEROMETER_TEST_PYTHON_<ENVIRONMENT>."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from inferometer.errors import EnvironmentBuildError, ModelError
from inferometer.frameworks import environments, requirements
from inferometer.running.messages import read_answer
from inferometer.running.processes.child import Child, child_environment, log_tail
from inferometer.worker.protocol import Call, Failed, Value
from parts import missing


def interpreter(name: str, log: Path) -> Path:
    """Return the Python of an environment; the calling test is skipped (fails in CI) where there is none."""
    given = os.environ.get(f"INFEROMETER_TEST_PYTHON_{name.upper()}")
    if given:
        return Path(given)
    try:
        return environments.ensure(requirements.read(name, "cpu"), log, lambda text: None).python
    except EnvironmentBuildError as error:
        missing(str(error))
        raise


def write_onnx(folder: Path, *scripts: str) -> Path:
    """Write the ONNX files of scripts in `support/` into a folder, by the onnxrt environment; return the folder."""
    python = interpreter("onnxrt", folder / "environment.log")
    for script in scripts or ("onnx_files.py",):
        subprocess.run([str(python), str(Path(__file__).with_name(script)), str(folder)], check=True)
    return folder


class RealSteps:
    """A StepRunner that remembers which steps it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []

    def __call__(self, environment, module, request):
        self.calls.append(module.rpartition(".")[2])
        python = interpreter(environment, self.folder / "environment.log")
        log = self.folder / f"{len(self.calls)}-{self.calls[-1]}.log"
        with Child(python, child_environment({}), log) as child:
            child.send(Call(module, request))
            message = child.receive(600)
        if message is None:
            raise ModelError(f"{module} died: {log_tail(log, 3)}")
        answer = read_answer(message, Value)
        if isinstance(answer, Failed):
            raise ModelError(answer.cause)
        return answer.value
