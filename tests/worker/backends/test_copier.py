"""Batches cut among copying threads."""

import threading

import numpy as np
import pytest

from inferometer.worker.backends.parts.copier import Copier, copying_threads, cut


@pytest.mark.parametrize(("rows", "threads", "parts"), [(16, 4, 4), (3, 8, 3), (16, 1, 1), (1, 8, 1)])
def test_a_batch_is_cut_into_views_of_all_its_rows_in_order(rows, threads, parts):
    array = np.arange(rows * 600_000, dtype=np.float32).reshape(rows, -1)
    found = cut(array, threads)
    assert len(found) == parts and all(np.shares_memory(part, array) for part in found)
    assert np.array_equal(np.concatenate(found), array)


def test_a_small_array_stays_whole_and_not_every_thread_copies():
    small = np.zeros((64, 10))
    assert [part is small for part in cut(small, 8)] == [True]
    assert len(cut(np.zeros((64, 5 << 14), np.uint8), 8)) == 2
    assert [copying_threads(threads) for threads in (0, 1, 8, 64)] == [1, 1, 8, 8]


@pytest.mark.parametrize("threads", [1, 8])
def test_a_copy_holds_the_batch_whatever_its_order_in_memory(threads):
    batch = np.random.default_rng(0).integers(0, 256, (19, 3, 160, 160), dtype=np.uint8)
    buffer = np.zeros((19, 160, 160, 3), np.uint8).transpose(0, 3, 1, 2)
    Copier(threads).copy(buffer, batch)
    assert np.array_equal(buffer, batch)


def test_a_copy_casts_though_only_one_of_both_is_small():
    batch = np.random.default_rng(0).random((20, 60_000), np.float32)
    assert len(cut(batch, 4)) == 2 and len(cut(batch.astype(np.float16), 4)) == 1
    buffer = np.zeros(batch.shape, np.float16)
    Copier(4).copy(buffer, batch)
    assert np.array_equal(buffer, batch.astype(np.float16))


def test_several_threads_copy(monkeypatch):
    seen = set()
    together = threading.Barrier(4, timeout=10)

    def copy(target, source):
        together.wait()
        seen.add(threading.get_ident())

    monkeypatch.setattr(np, "copyto", copy)
    batch = np.zeros((4, 600_000), np.float32)
    Copier(4).copy(batch, batch)
    assert len(seen) == 4


def test_what_one_thread_cannot_copy_is_told():
    batch = np.zeros((4, 300_000), np.float32)
    with pytest.raises(TypeError, match="Cannot cast"):
        Copier(4).copy(np.zeros(batch.shape, np.int32), batch)
