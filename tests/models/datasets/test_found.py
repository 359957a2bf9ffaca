"""Data sets as users have them: what is read of each, and one line for what cannot be used."""

import numpy as np
import pytest

from data_sets import X, Y, joined, prepared, saved
from inferometer.errors import UsageError
from inferometer.models.datasets.found import find
from inferometer.models.datasets.prepared import DatasetRequest


def test_a_folder_per_class(folder, tmp_path):
    shards = prepared(DatasetRequest(folder, None, "scale=1/255,mean=0.5"), tmp_path)
    assert shards.labels.tolist() == [0, 1, 2, 2]
    rows = joined(shards)
    assert (rows.shape, rows.dtype) == ((4, 4, 4, 3), np.uint8)
    assert rows[1, 2, 2].tolist() == [0, 255, 0]
    assert (shards.info.rows, shards.info.classes, shards.info.labels) == (4, 3, ("cat", "dog", "owl"))
    assert shards.affine["mean"] == [0.5]
    assert shards.layout == "NHWC"


def test_the_hash_is_of_content_and_answers(folder, tmp_path):
    first = prepared(DatasetRequest(folder, None, "scale=1"), tmp_path).info.hash
    assert prepared(DatasetRequest(folder, None, "scale=1"), tmp_path).info.hash == first
    (folder / "owl" / "2.png").rename(folder / "dog" / "2.png")
    assert prepared(DatasetRequest(folder, None, "scale=1"), tmp_path).info.hash != first


def test_labels_give_classes_their_numbers(folder, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("owl\nant\ndog, tame\ncat\n")
    shards = prepared(DatasetRequest(folder, labels, "scale=1"), tmp_path, outputs=((4,),))
    assert shards.labels.tolist() == [3, 2, 0, 0]
    assert shards.info.labels[2] == "dog, tame"


def test_a_csv_of_names_or_of_numbers(folder, tmp_path):
    file = folder / "all.csv"
    file.write_text("image,label\ncat/1.png,2\nowl/2.png,0\n")
    assert prepared(DatasetRequest(file, None, "scale=1"), tmp_path).labels.tolist() == [2, 0]
    file.write_text("label,image\nb,cat/1.png\na,owl/2.png\nc,owl/1.png\n")
    assert prepared(DatasetRequest(file, None, "scale=1"), tmp_path).labels.tolist() == [1, 0, 2]


def test_what_is_in_it_is_told_without_decoding(folder, tmp_path):
    assert DatasetRequest(folder).words() == f"4 images in 3 classes of {folder}"
    np.savez(tmp_path / "d.npz", x=np.zeros((5, 3)), y=np.zeros(5, int))
    assert DatasetRequest(tmp_path / "d.npz").words() == f"{tmp_path / 'd.npz'}, with x 5x3, y 5"


def test_rows_in_an_npz(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 4))
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0, 2, 1, 1, 0]))
    shards = prepared(DatasetRequest(tmp_path / "d.npz"), tmp_path)
    assert shards.labels.tolist() == [0, 2, 1, 1, 0]
    assert joined(shards).dtype == np.float32
    np.testing.assert_allclose(joined(shards), x.astype("f"))
    assert (shards.affine, shards.layout, shards.info.kind) == (None, "NCHW", "classes")


def test_rows_in_columns_order_are_the_same_rows(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype("f")
    np.savez(tmp_path / "d.npz", image=np.asfortranarray(x), y=np.zeros((5, 1), int))
    np.testing.assert_array_equal(joined(prepared(DatasetRequest(tmp_path / "d.npz"), tmp_path)), x)


def test_answers_of_the_outputs_shape_are_values(tmp_path):
    x, y = np.zeros((5, 3, 4, 4), "f"), np.arange(10.0).reshape(5, 2)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    shards = prepared(DatasetRequest(tmp_path / "d.npz"), tmp_path, outputs=((3,), (2,)))
    assert (shards.info.kind, shards.info.output, shards.labels) == ("values", 1, None)
    np.testing.assert_array_equal(np.concatenate([np.load(part.targets) for part in shards.parts]), y)


def test_large_data_sets_are_several_shards_of_bounded_size(tmp_path):
    x = np.arange(3000, dtype="f").repeat(48).reshape(3000, 3, 4, 4)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(3000) % 3)
    shards = prepared(DatasetRequest(tmp_path / "d.npz"), tmp_path)
    assert [part.count for part in shards.parts] == [1024, 1024, 952]
    np.testing.assert_array_equal(joined(shards), x)


def test_files_that_are_hidden_are_none(folder, tmp_path):
    (folder / "cat" / "._1.png").write_bytes(b"what a Mac leaves")
    assert len(prepared(DatasetRequest(folder, None, "scale=1"), tmp_path).labels) == 4


def test_labels_beside_numbers(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("a\n")
    with pytest.raises(UsageError, match="are numbers already"):
        find(saved(tmp_path, x=X, y=Y), labels)
