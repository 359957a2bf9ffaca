"""Batches in page-locked buffers, and whose CUDA runtime locks them."""

import mmap
import os
import types
import weakref

import numpy as np
import pytest
from pages import Pages

from inferometer.worker.backends.parts import pinned_memory as pinned_memory_module
from inferometer.worker.backends.parts.pinned_memory import PageLock, PinnedBuffers
from inferometer.worker.flags import flag


def batch(seed, *shape, kind=np.float32):
    return (np.random.default_rng(seed).normal(size=shape).astype(kind),)


@pytest.mark.parametrize("rows", [3, 64])  # below and above what is worth threads
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_every_batch_is_in_the_buffer_of_its_shape_in_the_wanted_type(rows, kind):
    pages = Pages()
    staging = PinnedBuffers(4, pages)
    first, second = batch(0, rows, 96, 96), batch(1, rows, 96, 96)
    (buffer,) = staging.fill(first, [kind])
    assert np.array_equal(buffer, first[0].astype(kind)) and buffer.dtype == kind
    (again,) = staging.fill(second, [kind])
    assert again is buffer and np.array_equal(buffer, second[0].astype(kind))
    assert pages.locked[0] is buffer and len(pages.locked) == 1
    assert buffer.flags.c_contiguous and buffer.flags.writeable
    assert staging.flags() == []


def test_without_a_wanted_type_arrays_keep_theirs():
    images, numbers = batch(0, 4, 8)[0], np.arange(4)
    filled = PinnedBuffers(1, Pages()).fill((images, numbers))
    assert [array.dtype for array in filled] == [np.float32, np.int64]
    assert np.array_equal(filled[0], images) and np.array_equal(filled[1], numbers)


def test_inputs_of_one_shape_have_a_buffer_each():
    left, right = batch(0, 4, 8)[0], batch(1, 4, 8)[0]
    filled = PinnedBuffers(1, Pages()).fill((left, right))
    assert np.array_equal(filled[0], left) and np.array_equal(filled[1], right)


def test_no_two_buffers_share_a_page():
    buffers = PinnedBuffers(1, Pages()).fill((np.ones(3), np.ones(5), np.arange(2)))
    assert [buffer.ctypes.data % mmap.PAGESIZE for buffer in buffers] == [0, 0, 0]
    assert len({buffer.ctypes.data for buffer in buffers}) == 3


def test_another_order_in_memory_is_straightened():
    (turned,) = batch(0, 40, 64, 64, 3)
    (filled,) = PinnedBuffers(4, Pages()).fill((turned.transpose(0, 3, 1, 2),))
    assert filled.flags.c_contiguous and np.array_equal(filled, turned.transpose(0, 3, 1, 2))


def test_what_holds_no_numbers_is_left_alone():
    pages = Pages()
    (words,) = PinnedBuffers(1, pages).fill((np.array(["a", "b"]),))
    assert words.tolist() == ["a", "b"] and not pages.locked


def test_where_nothing_can_be_locked_batches_stay_where_they_are_and_it_is_told():
    staging = PinnedBuffers(1, Pages(room=0))
    images = batch(0, 4, 8)
    assert staging.fill(images)[0] is images[0]
    assert staging.fill(images, [np.float16])[0].dtype == np.float16
    assert staging.trouble == "CUDA error 2"
    assert staging.flags() == [flag("not-page-locked", error="CUDA error 2")]


def test_memory_that_cannot_be_had_is_trouble_too():
    pages = Pages()
    staging = PinnedBuffers(1, pages)
    endless = np.broadcast_to(np.float32(1), (1 << 50,))
    assert staging.fill((endless,))[0] is endless
    assert "Cannot allocate memory" in staging.trouble and not pages.locked


def test_release_unlocks_all_and_tries_anew():
    pages = Pages(room=1)
    staging = PinnedBuffers(1, pages)
    staging.fill(batch(0, 4, 8))
    staging.fill(batch(0, 2, 8))
    assert staging.trouble and len(pages.locked) == 1
    staging.release()
    assert not pages.locked and not staging.flags()
    staging.fill(batch(0, 2, 8))
    assert len(pages.locked) == 1 and not staging.flags()


class Libraries:
    """A loader that finds the named ones, and the calls of the runtime it gives."""

    def __init__(self, loaded=(), installed=(), code=0, unlocking=0):
        self.loaded, self.installed, self.code = loaded, installed, code
        self.unlocking = unlocking
        self.tried, self.calls = [], []

    def __call__(self, name, mode):
        resident = bool(mode & os.RTLD_NOLOAD)
        self.tried.append((name, resident))
        if name not in (self.loaded if resident else self.installed):
            raise OSError(f"{name}: cannot open shared object file")
        return types.SimpleNamespace(
            cudaHostRegister=lambda *arguments: self.calls.append(("register", name)) or self.code,
            cudaHostUnregister=lambda *arguments: self.calls.append(("unregister", name)) or self.unlocking,
            cudaGetLastError=lambda: self.calls.append(("forget", name)),
        )


@pytest.mark.parametrize(
    ("version", "loaded", "installed", "found"),
    [
        ("", ["libcudart.so.12"], ["libcudart.so.13"], "libcudart.so.12"),
        ("", ["libcudart.so.12", "libcudart.so.13"], [], "libcudart.so.13"),
        ("12.5.1", ["libcudart.so.12", "libcudart.so.13"], [], "libcudart.so.12"),
        ("11.8", ["libcudart.so.11.0", "libcudart.so.12"], [], "libcudart.so.11.0"),
        ("14.0", [], ["libcudart.so.12"], "libcudart.so.12"),
        ("12", [], ["libcudart.so.13", "libcudart.so.12"], "libcudart.so.12"),
    ],
)
def test_the_frameworks_own_runtime_locks(version, loaded, installed, found):
    libraries = Libraries(loaded, installed)
    pages, array = PageLock(version, libraries), np.zeros(4)
    pages.lock(array)
    pages.unlock(array)
    assert libraries.calls == [("register", found), ("unregister", found)]
    tried = len(libraries.tried)
    pages.lock(array)
    assert len(libraries.tried) == tried, "looked for again"


def test_without_a_runtime_the_names_are_told():
    with pytest.raises(OSError, match=r"libcudart.so.12, libcudart.so.13, libcudart.so.11.0"):
        PageLock("12.9", Libraries()).lock(np.zeros(4))


def test_an_error_of_cuda_is_told_and_not_left_for_the_framework():
    libraries = Libraries(["libcudart.so.13"], code=2)
    with pytest.raises(OSError, match="32 bytes: CUDA error 2"):
        PageLock("", libraries).lock(np.zeros(4))
    assert [call for call, _ in libraries.calls] == ["register", "forget"]


@pytest.mark.parametrize("code", [0, 713])
def test_memory_that_cuda_does_not_unlock_is_never_freed(code, monkeypatch):
    monkeypatch.setattr(pinned_memory_module, "_STUCK", [])
    libraries = Libraries(["libcudart.so.13"], unlocking=code)
    staging = PinnedBuffers(1, PageLock("", libraries))
    (buffer,) = staging.fill(batch(0, 4, 8))
    alive = weakref.ref(buffer)
    del buffer
    staging.release()
    assert (alive() is not None) == bool(code)
    calls = [call for call, _ in libraries.calls]
    assert calls == ["register", "unregister", *(["forget"] if code else [])]
