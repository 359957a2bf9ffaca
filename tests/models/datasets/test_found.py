"""Data sets as users have them: what is read of each, and one line for what cannot be used."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from inferometer.errors import UsageError
from inferometer.models.contract import PreparedModel
from inferometer.models.datasets.found import find
from inferometer.models.datasets.npz import members
from inferometer.models.datasets.prepared import DatasetRequest, prepare_dataset
from inferometer.models.datasets.preprocessing import parsed, settled, written
from inferometer.models.steps.tensors import numbered, write_npz
from inferometer.records import ModelInfo


def image(path, size=(9, 7), colour=(200, 100, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def model(tmp_path, *, outputs=((3,),), shape=(None, 3, 4, 4), dtype="float32", layout="NCHW"):
    write_npz(str(tmp_path / "reference.npz"), numbered([np.zeros((2, *o), "f") for o in outputs]))
    info = ModelInfo(inputs=({"name": "image", "shape": shape, "dtype": dtype},))
    return PreparedModel(info, {}, {}, tmp_path / "inputs.npz", tmp_path / "reference.npz", layout=layout)


def prepared(request, tmp_path, own=None, **kind):
    return prepare_dataset(
        request, model(tmp_path, **kind), lambda: own, tmp_path / "shards", lambda text: None
    )


def joined(shards, place=0):
    return np.concatenate([np.load(part.rows[place]) for part in shards.parts])


def refused(path, match, tmp_path, labels=None, preprocess="scale=1/255", **kind):
    with pytest.raises(UsageError, match=match) as caught:
        prepared(DatasetRequest(path, labels, preprocess), tmp_path, **kind)
    assert "\n" not in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    for name, colour in {"cat": (255, 0, 0), "dog": (0, 255, 0), "owl": (0, 0, 255)}.items():
        image(tmp_path / "data" / name / "1.png", colour=colour)
    image(tmp_path / "data" / "owl" / "2.png", colour=(0, 0, 255))
    return tmp_path / "data"


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


def test_images_are_cut_as_torchvision_cuts_them(tmp_path):
    strip = np.zeros((8, 16, 3), np.uint8)
    strip[:, 4:12] = 255
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "b").mkdir()
    for name in "ab":
        Image.fromarray(strip).save(tmp_path / "data" / name / "1.png")
    asked = DatasetRequest(tmp_path / "data", None, "scale=1,crop=1,resize=nearest")
    assert joined(prepared(asked, tmp_path, outputs=((2,),))).min() == 255
    asked = DatasetRequest(tmp_path / "data", None, "scale=1,fit=squash,resize=nearest")
    assert joined(prepared(asked, tmp_path, outputs=((2,),)))[0, 0, :, 0].tolist() == [0, 255, 255, 0]


def test_grey_models_get_one_channel(folder, tmp_path):
    shards = prepared(DatasetRequest(folder, None, "scale=1"), tmp_path, shape=(None, 4, 4, 1), layout="NHWC")
    assert joined(shards).shape == (4, 4, 4, 1)


def test_what_the_model_itself_is_made_for_is_taken_unless_asked_otherwise(folder, tmp_path):
    own = {"crop": 0.5, "mean": (1.0,), "std": (2.0,), "order": "BGR", "height": 299, "width": 299}
    shards = prepared(DatasetRequest(folder, None, "mean=3"), tmp_path, own=own)
    assert shards.info.preprocessing["crop"] == 0.5
    assert shards.affine == {"order": "BGR", "scale": 1 / 255, "mean": [3.0], "std": [2.0]}


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


# what cannot be used -----------------------------------------------------------------------------------------------


def test_images_that_cannot_be_read(folder, tmp_path):
    (folder / "cat" / "0.jpg").write_bytes(b"no image")
    refused(folder, "0.jpg is not an image", tmp_path)


def test_images_that_end_early(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cat" / "0.jpg")
    whole = (folder / "cat" / "0.jpg").read_bytes()
    (folder / "cat" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    refused(folder, "cannot read image .*0.jpg: .*truncated", tmp_path)


def test_images_too_large_or_too_long(folder, tmp_path, monkeypatch):
    image(folder / "cat" / "0.png", size=(60_000, 1))
    refused(folder, "60000x1: too long for a crop of 224x224", tmp_path, shape=(None, 3, 224, 224))
    monkeypatch.setattr("inferometer.models.images.LARGEST_PIXELS", 1000)
    refused(folder, "0.png has 60000x1 pixels, the limit is 1,000", tmp_path)


def test_folders_without_images_or_without_folders(folder, tmp_path):
    (folder / "yak").mkdir()
    refused(folder, "class folder .*yak holds no image", tmp_path)
    refused(folder / "yak", "has no folder in it; give a folder with a folder a class", tmp_path)
    refused(tmp_path / "none", "none does not exist", tmp_path)


def test_classes_that_are_not_the_models(folder, tmp_path):
    refused(folder, "has 3 classes, the model 10: give --labels FILE", tmp_path, outputs=((10,),))
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\nyak\n")
    refused(folder, "--labels has no line for the folders owl", tmp_path, labels=labels)
    labels.write_text("cat\ndog\ncat\n")
    refused(folder, r"line 3: names 'cat' twice, as 1 too", tmp_path, labels=labels)
    labels.write_bytes(b"\xff\xfe\x00")
    refused(folder, "labels.txt cannot be read as text", tmp_path, labels=labels)
    labels.write_text("")
    refused(folder, "labels.txt is empty", tmp_path, labels=labels)


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
    refused(folder / "all.csv", match, tmp_path)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return tmp_path / "d.npz"


X = np.zeros((4, 3, 4, 4), "f")
Y = np.array([0, 1, 2, 0])


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
    refused(saved(tmp_path, **arrays), match, tmp_path, preprocess="")


def test_files_that_are_no_npz(tmp_path):
    (tmp_path / "d.npz").write_bytes(b"PK no zip")
    refused(tmp_path / "d.npz", "d.npz is no .npz", tmp_path)
    whole = saved(tmp_path, x=X, y=Y).read_bytes()
    (tmp_path / "d.npz").write_bytes(whole.replace(b"\x93NUMPY", b"\x93BUMPY"))
    refused(tmp_path / "d.npz", "'x' cannot be read", tmp_path)
    unclosed = b"\x93NUMPY\x01\x00\x05\x00((((\n"
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", unclosed)
    refused(tmp_path / "d.npz", "'x' is no array as numpy.save writes it", tmp_path)


def test_a_header_that_says_more_than_there_is(tmp_path):
    found = members(saved(tmp_path, x=X, y=Y))["x"]
    longer = type(found)(found.path, "x", (40, 3, 4, 4), found.dtype, False)
    with pytest.raises(UsageError, match="'x' ends early"):
        list(longer.rows(40))


def test_disks_that_are_too_small(folder, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 5))
    refused(folder, r"takes 192 B as rows, 5\.00 B are free in", tmp_path)


def test_models_without_images_or_scores(folder, tmp_path):
    refused(folder, "needs a model with one image input", tmp_path, shape=(None, 7))
    refused(folder, "first output is 21x4x4 an image: no class scores", tmp_path, outputs=((21, 4, 4),))


def test_class_numbers_where_no_output_is_a_row_of_scores(tmp_path):
    """A binary classifier of one score, say: its answers are values."""
    match = "no output is a row of class scores: give 1 a row"
    refused(saved(tmp_path, x=X, y=Y), match, tmp_path, preprocess="", outputs=((1,),))


def test_of_several_outputs_the_one_that_has_so_many_classes_is_judged(folder, tmp_path):
    shards = prepared(DatasetRequest(folder, None, "scale=1/255"), tmp_path, outputs=((7,), (4, 4), (3,)))
    assert (shards.info.output, shards.info.outputs, shards.info.classes) == (2, 3, 3)
    other = prepared(DatasetRequest(saved(tmp_path, x=X, y=Y)), tmp_path, outputs=((4, 4), (3,), (7,)))
    assert other.info.output == 1
    assert shards.info.key.endswith("/2")


def test_folders_called_by_numbers_need_an_order(tmp_path):
    for number in range(11):
        image(tmp_path / "data" / str(number) / "1.png")
    refused(tmp_path / "data", r"order as text \(0, 1, 10, ...\) is another", tmp_path, outputs=((11,),))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(map(str, range(11))))
    shards = prepared(DatasetRequest(tmp_path / "data", labels, "scale=1"), tmp_path, outputs=((11,),))
    assert sorted(shards.labels) == list(range(11))


def test_files_that_are_hidden_are_none(folder, tmp_path):
    (folder / "cat" / "._1.png").write_bytes(b"what a Mac leaves")
    assert len(prepared(DatasetRequest(folder, None, "scale=1"), tmp_path).labels) == 4


def test_palettes_with_transparency_warn_nobody(folder, tmp_path):
    """Pillow's warning is an error here."""
    clear = Image.new("P", (8, 8), 1)
    clear.putpalette([0, 0, 0, 200, 100, 50])
    clear.save(folder / "cat" / "0.png", transparency=b"\x80\xff")
    shards = prepared(DatasetRequest(folder, None, "scale=1"), tmp_path)
    assert joined(shards)[0, 0, 0].tolist() == [200, 100, 50]


def test_images_of_16_bits_are_refused_rather_than_white(folder, tmp_path):
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(folder / "cat" / "deep.png")
    refused(folder, "deep.png has pixels of more than 8 bits", tmp_path)


def test_labels_beside_numbers(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("a\n")
    with pytest.raises(UsageError, match="are numbers already"):
        find(saved(tmp_path, x=X, y=Y), labels)


# --preprocess -------------------------------------------------------------------------------------------------------


def test_preprocess_is_read():
    found = parsed(
        "size=224x192, crop=0.9, mean=0.1:0.2:0.3, std=1/4, order=bgr, scale=1/255, resize=Bilinear"
    )
    assert found == {
        "height": 224, "width": 192, "crop": 0.9, "mean": (0.1, 0.2, 0.3), "std": (0.25,), "order": "BGR",
        "scale": 1 / 255, "resize": "bilinear",
    }  # fmt: skip
    assert parsed(written({"size": (224, 192), "mean": [0.1, 0.2, 0.3]})) == {
        "height": 224, "width": 192, "mean": (0.1, 0.2, 0.3),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("224", "none of size="),
        ("crop=2", "crop=2: a crop is the share"),
        ("scale=0", "a scale is"),
        ("scale=1/0", "a scale is"),
        ("mean=1:2", "give one number, or three"),
        ("std=0", "above 0"),
        ("std=nan", "above 0"),
        ("resize=cubic", "give one of bicubic"),
        ("size=0", "pixels a side"),
        ("order=GBR", "RGB or BGR"),
    ],
)
def test_preprocess_that_means_nothing(text, match):
    with pytest.raises(UsageError, match=match):
        parsed(text)


SPEC = {"name": "image", "shape": (None, 3, 4, 4), "dtype": "float32"}


def test_preprocessing_that_nobody_knows_is_asked_for():
    with pytest.raises(UsageError, match="is not known; say it, for instance --preprocess"):
        settled("", None, SPEC, "NCHW")
    with pytest.raises(UsageError, match="size=8x8, but the model takes 4x4"):
        settled("size=8", None, SPEC, "NCHW")
    with pytest.raises(UsageError, match="takes pixels as bytes"):
        settled("mean=3", None, {**SPEC, "dtype": "uint8"}, "NCHW")
    assert settled("scale=1", None, {**SPEC, "dtype": "uint8"}, "NCHW").is_of_pixels
