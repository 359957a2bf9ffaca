"""Runs steps in interpreters named by INFEROMETER_TEST_PYTHON_TF, _TORCH and _ONNXRT; for tests only."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import inferometer
from conftest import missing
from inferometer.errors import ModelError

PACKAGE = Path(inferometer.__file__).parent
BOOT = """
import importlib, json, sys, types
package = types.ModuleType("inferometer"); package.__path__ = [sys.argv[1]]; sys.modules["inferometer"] = package
try:
    answer = {"answer": importlib.import_module("inferometer." + sys.argv[2]).run(json.loads(sys.argv[3]))}
except Exception as error:
    if len(sys.argv) > 5: raise
    answer = {"error": str(error) or type(error).__name__}
open(sys.argv[4], "w").write(json.dumps(answer))
"""


class Interpreters:
    """A StepRunner over ready interpreters; counts the steps it ran."""

    def __init__(self, folder: Path, verbose: bool = False) -> None:
        self.folder = folder
        self.verbose = verbose
        self.calls: list[tuple[str, str]] = []

    def __call__(self, environment, module, request):
        variable = f"INFEROMETER_TEST_PYTHON_{environment.upper()}"
        if variable not in os.environ:
            missing(f"{variable} names no interpreter with that environment")
        self.calls.append((environment, module))
        answer = self.folder / f"answer-{len(self.calls)}.json"
        arguments = [
            os.environ[variable],
            "-P",
            "-c",
            BOOT,
            str(PACKAGE),
            module,
            json.dumps(request),
            str(answer),
        ]
        done = subprocess.run(
            [*arguments, *(["v"] if self.verbose else [])], capture_output=True, text=True, check=False
        )
        if not answer.exists():
            raise ModelError(
                f"{module} died with {done.returncode}: {done.stderr[-2000 if self.verbose else -300 :]}"
            )
        result = json.loads(answer.read_text())
        if "error" in result:
            raise ModelError(result["error"])
        return result["answer"]
