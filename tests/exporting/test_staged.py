"""Batches on their way to a GPU, as far as a machine without one shows it: what is copied, and what is said where nothing can be locked."""

import ctypes
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from inferometer.exporting.assembled import assemble
from parts import missing


@pytest.fixture
def infer(tmp_path, monkeypatch):
    """Return infer.py of a row of a GPU as a module."""
    (tmp_path / "infer.py").write_text(assemble("onnxruntime_cuda", {"THREADS": 4, "DEVICE": "cuda"}))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # set back at the end
    import infer

    return infer


class Refuses:
    """A CUDA runtime whose driver locks nothing."""

    def __init__(self):
        self.asked = []

    def cudaHostRegister(self, *given):
        self.asked.append("lock")
        return 2

    def cudaGetLastError(self):
        self.asked.append("clear")


def batches(count):
    rng = np.random.default_rng(count)
    return [(rng.random((count, 3, 64, 700), np.float32), rng.integers(0, 9, (count, 5))) for _ in range(2)]


@pytest.mark.parametrize("count", [1, 7, 64])
@pytest.mark.parametrize("cuda", [None, Refuses()])
def test_a_batch_is_whole_in_its_buffers_and_the_next_takes_its_place(infer, count, cuda, capsys):
    staged = infer.Staged()
    staged._cuda = cuda
    first, second = batches(count)
    held = staged.fill(first)
    assert all(np.array_equal(*pair) for pair in zip(held, first, strict=True))
    assert all(np.shares_memory(*pair) for pair in zip(held, staged.fill(second), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(held, second, strict=True))
    assert capsys.readouterr().err.count("note: memory cannot be page-locked here") == 2  # for each input
    if cuda:
        assert cuda.asked == ["lock", "clear"] * 2
        cuda.asked.clear()


def test_libraries_beside_python_are_loaded_in_whatever_order_they_need(tmp_path, infer):
    if not shutil.which("g++"):
        missing("g++, which makes libraries that need each other")
    folder = tmp_path / "nvidia" / "any" / "lib"
    folder.mkdir(parents=True)
    built(folder / "libneeded_z.so", "int answer() { return 42; }")
    built(folder / "liba.so", "int answer(); int asked() { return answer(); }", "-L.", "-lneeded_z")
    with pytest.raises(OSError, match="libneeded_z"):
        ctypes.CDLL(str(folder / "liba.so"))
    (folder / "libbroken.so").write_text("no library")
    infer.load_libraries()
    assert ctypes.CDLL("liba.so", mode=os.RTLD_NOLOAD | os.RTLD_LAZY).asked() == 42


def built(path, code, *options):
    source = "-x", "c", "-", "-x", "none"
    command = ["g++", "-shared", "-fPIC", *source, "-o", path.name, f"-Wl,-soname,{path.name}", *options]
    subprocess.run(command, input=code, text=True, check=True, cwd=path.parent)
