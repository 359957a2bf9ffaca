"""Packages of another interpreter, linked into an environment."""

import subprocess
import sys

import pytest

from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks import environments, installer
from inferometer.frameworks.borrowing import borrow
from inferometer.frameworks.environments import Installed
from inferometer.frameworks.requirements import Requirements
from wheels import write_wheel


@pytest.fixture
def lender(tmp_path):
    """An interpreter with `lib` 2.0, whose files share a folder with what the borrower has of its own."""
    wheel = write_wheel(tmp_path, "lib", {"shared/lib.py": "VALUE = 2\n"}, version="2.0")
    folder = tmp_path / "lender"
    uv = installer.uv_path()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel], check=True
    )
    return python


def test_an_environment_takes_what_it_borrows_and_says_so(tmp_path, monkeypatch, lender):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    wheel = write_wheel(tmp_path, "own", {"shared/own.py": "VALUE = 1\n"})
    wanted = Requirements("small", "cpu", ("own==1.0", "lib==1.0"))  # the lender's is newer than the pin

    def install(wanted, folder, log):
        line = f"own @ file://{wheel}"
        subprocess.run(
            [installer.uv_path(), "pip", "install", "--quiet", "--offline", "--python", folder / "bin" / "python", line], check=True
        )  # fmt: skip
        return Installed("", borrow(lender, ["lib"], folder))

    built = environments.ensure(wanted, tmp_path / "log", lambda text: None, install)
    code = "from shared import lib, own; print(lib.VALUE, own.VALUE)"
    assert (
        subprocess.run([built.python, "-c", code], capture_output=True, text=True, check=True).stdout
        == "2 1\n"
    )
    assert built.facts["borrowed"] == {"lib": "2.0"} and not built.facts["locked"]
    folder = built.python.parent.parent
    assert environments.is_built(wanted) and not environments.verify(folder)
    lent = next(lender.parent.parent.glob("lib/python*/site-packages"))
    (lent / "shared" / "lib.py").write_text("VALUE = 3\n")
    assert environments.verify(folder) == "shared/lib.py has another content than was installed"
    (lent / "lib-2.0.dist-info" / "RECORD").unlink()
    assert not environments.is_built(wanted)


def test_what_an_interpreter_lacks_is_left_out(tmp_path, lender):
    site = tmp_path / "venv" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    assert borrow(lender, ["absent"], tmp_path / "venv") == {}
    assert not any(site.iterdir())
    assert borrow(lender, ["lib", "absent"], tmp_path / "venv") == {"lib": "2.0"}
    with pytest.raises(EnvironmentBuildError, match="cannot be asked what it has"):
        borrow(tmp_path / "nothing", ["lib"], tmp_path / "venv")


def test_another_python_is_refused(tmp_path):
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\necho \'{"python": [3, 5], "found": {}}\'\n')
    other.chmod(0o755)
    with pytest.raises(EnvironmentBuildError, match=r"is Python 3\.5, the environments here are Python 3"):
        borrow(other, ["lib"], tmp_path)
