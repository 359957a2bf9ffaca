"""What `inferometer export` wrote, run in the environment that the row was measured in."""

import os
import subprocess
from pathlib import Path

from inferometer.frameworks import environments, requirements
from inferometer.frameworks.catalogue import parse_choice


def python_of(framework):
    wanted = requirements.read(parse_choice(framework).environment, "cpu")
    return environments.ensure(wanted, Path(os.devnull), lambda text: None).python


def infer(folder, framework, option, python=None):
    """Run infer.py as a user does: nothing of ours on its path, from another folder."""
    command = [str(python or python_of(framework)), "-I", str(folder / "infer.py"), option]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
