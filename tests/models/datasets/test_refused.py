"""Data sets that cannot be used: one line each."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from data_sets import X, Y, assert_refused, image, prepared, saved
from inferometer.errors import UsageError
from inferometer.models.datasets.npz import members
from inferometer.models.datasets.prepared import DatasetRequest


def test_images_that_cannot_be_read(folder, tmp_path):
    (folder / "cat" / "0.jpg").write_bytes(b"no image")
    assert_refused(folder, "0.jpg is not an image", tmp_path)


def test_images_that_end_early(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cat" / "0.jpg")
    whole = (folder / "cat" / "0.jpg").read_bytes()
    (folder / "cat" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    assert_refused(folder, "cannot read image .*0.jpg: .*truncated", tmp_path)


def test_images_too_large_or_too_long(folder, tmp_path, monkeypatch):
    image(folder / "cat" / "0.png", size=(60_000, 1))
    assert_refused(folder, "60000x1: too long for a crop of 224x224", tmp_path, shape=(None, 3, 224, 224))
    monkeypatch.setattr("inferometer.models.images.LARGEST_PIXELS", 1000)
    assert_refused(folder, "0.png has 60000x1 pixels, the limit is 1,000", tmp_path)


def test_folders_without_images_or_without_folders(folder, tmp_path):
    (folder / "yak").mkdir()
    assert_refused(folder, "class folder .*yak holds no image", tmp_path)
    assert_refused(folder / "yak", "has no folder in it; give a folder with a folder a class", tmp_path)
    assert_refused(tmp_path / "none", "none does not exist", tmp_path)


def test_classes_that_are_not_the_models(folder, tmp_path):
    assert_refused(folder, "has 3 classes, the model 10: give --labels FILE", tmp_path, outputs=((10,),))
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\nyak\n")
    assert_refused(folder, "--labels has no line for the folders owl", tmp_path, labels=labels)
    labels.write_text("cat\ndog\ncat\n")
    assert_refused(folder, r"line 3: names 'cat' twice, as 1 too", tmp_path, labels=labels)
    labels.write_bytes(b"\xff\xfe\x00")
    assert_refused(folder, "labels.txt cannot be read as text", tmp_path, labels=labels)
    labels.write_text("")
    assert_refused(folder, "labels.txt is empty", tmp_path, labels=labels)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image,label\ncat/1.png,3\n", "answer 1 is class 3; the model's 3 classes are 0 to 2"),
        ("image,label\ncat/1.png,-1\n", "answer 1 is class -1"),
        ("image,label\n\ncat/9.png,1\n", "line 3: image cat/9.png does not exist beside it"),
        ("image,label\ncat/1.png,\n", "line 2: give an image and its label"),
        ("image,label\n", "no line after its header"),
        ("file,class\ncat/1.png,1\n", "no columns image,label"),
        ("", "no columns image,label"),
        ("image,label\n" + "x" * 200_000 + ",1\n", "cannot be read as CSV: field larger"),
    ],
)
def test_lines_of_a_csv_that_mean_nothing(folder, tmp_path, text, match):
    (folder / "all.csv").write_text(text)
    assert_refused(folder / "all.csv", match, tmp_path)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": X}, "has no array 'y'"),
        ({"y": Y}, "has no array 'x'"),
        ({"x": X[:, :, :2], "y": Y}, r"shape \(4, 3, 2, 4\), the model takes 3x4x4 a row"),
        ({"x": X, "y": Y[:2]}, "the same number of rows"),
        ({"x": X, "y": Y + 1}, "answer 3 is class 3; the model's 3 classes are 0 to 2"),
        ({"x": X, "y": np.zeros((4, 7))}, r"'y' is float64 of shape \(4, 7\); give class numbers"),
        ({"x": np.array([{"a": 1}] * 4, object), "y": Y}, "'x' holds Python objects, which run code"),
        ({"x": X, "y": np.array(list("abcd"))}, "'y' holds <U1; give numbers"),
        ({"x": np.where(X == 0, np.nan, X), "y": Y}, "NaN or infinity in rows 0 to 3"),
        ({"x": X, "y": np.full((4, 3), np.nan)}, "'y' has NaN or infinity in rows 0 to 3"),
        ({"x": X, "y": np.eye(3)[Y]}, r"'y' is one-hot; give class numbers: y.argmax\(axis=1\)"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, match):
    assert_refused(saved(tmp_path, **arrays), match, tmp_path, preprocess="")


def test_files_that_are_no_npz(tmp_path):
    (tmp_path / "d.npz").write_bytes(b"PK no zip")
    assert_refused(tmp_path / "d.npz", "d.npz is no .npz", tmp_path)
    whole = saved(tmp_path, x=X, y=Y).read_bytes()
    (tmp_path / "d.npz").write_bytes(whole.replace(b"\x93NUMPY", b"\x93BUMPY"))
    assert_refused(tmp_path / "d.npz", "'x' cannot be read", tmp_path)
    unclosed = b"\x93NUMPY\x01\x00\x05\x00((((\n"
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", unclosed)
    assert_refused(tmp_path / "d.npz", "'x' is no array as numpy.save writes it", tmp_path)


def test_a_header_that_says_more_than_there_is(tmp_path):
    found = members(saved(tmp_path, x=X, y=Y))["x"]
    longer = type(found)(found.path, "x", (40, 3, 4, 4), found.dtype, False)
    with pytest.raises(UsageError, match="'x' ends early"):
        list(longer.rows(40))


def test_disks_that_are_too_small(folder, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 5))
    assert_refused(folder, r"takes 192 B as rows, 5\.00 B are free in", tmp_path)


def test_models_without_images_or_scores(folder, tmp_path):
    assert_refused(folder, "needs a model with one image input", tmp_path, shape=(None, 7))
    assert_refused(
        folder, "first output is 21x4x4 an image: no class scores", tmp_path, outputs=((21, 4, 4),)
    )


def test_class_numbers_where_no_output_is_a_row_of_scores(tmp_path):
    """A binary classifier of one score, say: its answers are values."""
    match = "no output is a row of class scores: give 1 a row"
    assert_refused(saved(tmp_path, x=X, y=Y), match, tmp_path, preprocess="", outputs=((1,),))


def test_of_several_outputs_the_one_that_has_so_many_classes_is_judged(folder, tmp_path):
    shards = prepared(DatasetRequest(folder, None, "scale=1/255"), tmp_path, outputs=((7,), (4, 4), (3,)))
    assert (shards.info.output, shards.info.outputs, shards.info.classes) == (2, 3, 3)
    other = prepared(DatasetRequest(saved(tmp_path, x=X, y=Y)), tmp_path, outputs=((4, 4), (3,), (7,)))
    assert other.info.output == 1
    assert shards.info.key.endswith("/2")


def test_folders_called_by_numbers_need_an_order(tmp_path):
    for number in range(11):
        image(tmp_path / "data" / str(number) / "1.png")
    assert_refused(
        tmp_path / "data", r"order as text \(0, 1, 10, ...\) is another", tmp_path, outputs=((11,),)
    )
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(map(str, range(11))))
    shards = prepared(DatasetRequest(tmp_path / "data", labels, "scale=1"), tmp_path, outputs=((11,),))
    assert sorted(shards.labels) == list(range(11))
