"""The user's own rows: files and folders, judged by their heads before they are read."""

import io
import zipfile

import numpy as np
import pytest

from inferometer.errors import UsageError
from inferometer.models.contract import ModelRequest
from inferometer.models.live import saved_rows
from inferometer.models.sources import resolve
from inferometer.models.steps import given

X = np.arange(12, dtype=np.float32).reshape(3, 4)
IDS = np.arange(6).reshape(3, 2)


def folder_of(path, **arrays):
    path.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def equal(found, **arrays):
    return list(found) == list(arrays) and all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_an_npz_a_folder_of_arrays_and_a_folder_of_an_npz_are_the_same(tmp_path):
    np.savez(tmp_path / "i.npz", x=X, ids=IDS)
    np.savez_compressed(tmp_path / "packed.npz", x=X, ids=np.asfortranarray(IDS))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "any.npz").write_bytes((tmp_path / "i.npz").read_bytes())
    for path in ("i.npz", "packed.npz", "one"):
        assert equal(given.load(str(tmp_path / path), ["x", "ids"]), x=X, ids=IDS)
    folder = str(folder_of(tmp_path / "rows", x=X, ids=IDS))
    assert equal(given.load(folder, ["x", "ids"]), ids=IDS, x=X)
    assert given.shapes(folder, ["x", "ids"]) == {"ids": (3, 2), "x": (3, 4)}


def test_one_array_is_for_a_model_of_one_input(tmp_path):
    np.save(tmp_path / "i.npy", X)
    found = given.load(str(tmp_path / "i.npy"), ["image"])
    assert equal(found, image=X) and found["image"].flags.writeable
    with pytest.raises(
        ValueError, match=r"one array and the model takes x, ids; .* with x\.npy and ids\.npy"
    ):
        given.load(str(tmp_path / "i.npy"), ["x", "ids"])


def test_arrays_for_no_input_are_refused_unread(tmp_path):
    np.savez(tmp_path / "i.npz", x=X)
    with zipfile.ZipFile(tmp_path / "i.npz", "a") as archive:
        archive.writestr("more.npy", b"never read")
    with pytest.raises(ValueError, match=r"lacks ids; has unknown more; the model's inputs are x, ids"):
        given.load(str(tmp_path / "i.npz"), ["x", "ids"])
    with pytest.raises(ValueError, match=r"has unknown ids; the model.s inputs are x\Z"):
        given.load(str(folder_of(tmp_path / "rows", x=X, ids=IDS)), ["x"])


def head(shape, dtype="<f4"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": dtype, "fortran_order": False, "shape": shape})
    return content.getvalue()


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (head((1 << 40, 4)) + bytes(16), "promises 17,592,186,044,416 bytes of numbers and has 16"),
        (head((4, 4)) + bytes(16), "promises 64 bytes"),
        (head((1,), "|O") + bytes(8), "Python objects"),
        (b"text", "no array as numpy.save writes it"),
        (b"", "no array as numpy.save writes it"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "no array as numpy.save writes it"),
        (b"\x93NUMPY\x01\x00\x05\x00((((\n", "no array as numpy.save writes it"),
        (head((-1, -4)) + bytes(16), "has a size that cannot be"),
    ],
    ids=["terabytes", "short", "objects", "text", "empty", "version", "unclosed", "negative"],
)
def test_a_head_that_promises_what_is_not_there_is_one_line(tmp_path, content, told, archived):
    path = tmp_path / "i.npy"
    path.write_bytes(content)
    if archived:
        path = tmp_path / "i.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    with pytest.raises(ValueError, match=told) as caught:
        given.load(str(path), ["x"])
    assert "\n" not in str(caught.value)


def test_more_than_the_free_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("inferometer.worker.system.memory.free_bytes", lambda: 100)
    np.save(tmp_path / "i.npy", X)
    with pytest.raises(ValueError, match=r"holds 0.0 GiB, with 0.0 GiB of memory free; give fewer rows"):
        given.load(str(tmp_path / "i.npy"), ["x"])
    with pytest.raises(ValueError, match="of memory free"):
        given.load(str(folder_of(tmp_path / "rows", x=X, ids=IDS)), ["x", "ids"])


def test_what_holds_no_rows_says_what_to_give(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"x")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text("1,2")
    several = folder_of(tmp_path / "several", x=X)
    np.savez(several / "i.npz", x=X)
    for path, told in (
        (photos, f"holds images: give --image {photos}"),
        (tmp_path / "empty", "holds no .npy and no .npz; give FILE.npz with"),
        (tmp_path / "rows.csv", "is neither .npz nor .npy; give FILE.npz with"),
        (tmp_path / "absent.npz", "does not exist; give FILE.npz with"),
        (several, "holds i.npz and others; give the one that is meant"),
    ):
        with pytest.raises(UsageError, match=told):
            resolve(ModelRequest(str(tmp_path / "m.onnx"), inputs=path))


def test_arrays_in_python_become_one_file_for_equal_content(tmp_path):
    first = saved_rows({"x": X, "ids": IDS.tolist()}, tmp_path)
    assert first == saved_rows({"x": X.copy(), "ids": IDS}, tmp_path) != saved_rows({"x": X + 1}, tmp_path)
    assert equal(given.load(str(first), ["x", "ids"]), x=X, ids=IDS)
    alone = saved_rows(X, tmp_path)
    assert equal(given.load(str(alone), ["any"]), any=X)
    for wrong in ({}, {"x": "text"}, {"x": [object()]}, {"x": [[1], [1, 2]]}):
        with pytest.raises(UsageError):
            saved_rows(wrong, tmp_path)
