"""What `inferometer export` wrote, run in the environment that the row was measured in."""

import os
import subprocess
from pathlib import Path

from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.catalogue import parse_choice


def python_of(framework):
    wanted = requirements.read(parse_choice(framework).environment, "cpu")
    return environments.ensure(wanted, Path(os.devnull), lambda text: None).python


def infer(folder, framework, option, python=None):
    """Run infer.py as a user does: nothing of ours on its path, from another folder."""
    command = [str(python or python_of(framework)), "-I", str(folder / "infer.py"), option]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def assert_answers_as_it_did(run, row, folder):
    """Take a row (framework/precision/batch size) of a run home, and hold its outputs against those that were measured."""
    assert invoke(["export", str(run), row, "--out", str(folder)]) == 0
    done = infer(folder, row.partition("/")[0], "--check")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
