"""Which files a file of the user's names beside itself, read without the library that wrote it."""

import os

import pytest

from inferometer.errors import UsageError
from inferometer.models.companions import companions
from steprunner import write_onnx


def field(number, content):
    """Return a field of protobuf: a whole number, or bytes."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def naming(location):
    """Return an ONNX file whose only tensor lies in the file of a name."""
    entry = field(1, b"location") + field(2, location.encode())
    return field(7, field(5, field(13, entry) + field(14, 1)))


@pytest.mark.environment
def test_every_field_that_leads_to_weights_is_followed(tmp_path):
    folder = write_onnx(tmp_path, "onnx_external_files.py")
    names = ("constant", "else", "function", "initializer", "then")
    assert companions(folder / "everywhere.onnx") == [f"{name}.bin" for name in names]


@pytest.mark.environment
def test_weights_in_a_folder_below_are_named_from_the_files_folder_on(tmp_path):
    folder = write_onnx(tmp_path)
    assert companions(folder / "external.onnx") == ["parts/w.bin"]
    assert companions(folder / "image.onnx") == []


def test_only_what_lies_in_the_files_own_folder_is_taken(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    secret = tmp_path / "secret"
    for path in (secret, own / "w.bin"):
        path.write_bytes(b"w")
    (own / "link").symlink_to(secret)
    model = own / "net.onnx"
    for name, found in (
        ("w.bin", ["w.bin"]), ("./w.bin", ["w.bin"]), ("../secret", []), (str(secret), []), ("x/../../secret", []),
        ("link", []), ("absent", []), (".", []), ("net.onnx", []), ("w\0.bin", []), ("", []),
    ):  # fmt: skip
        model.write_bytes(naming(name))
        assert companions(model) == found, name


def test_weights_that_are_a_link_beside_a_link_are_a_hubs(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for name, content in (("net.onnx", naming("net.onnx.data")), ("net.onnx.data", b"w")):
        (tmp_path / "blobs" / name[::-1]).write_bytes(content)
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{name[::-1]}")
    assert companions(tmp_path / "snapshot" / "net.onnx") == ["net.onnx.data"]


def test_a_file_that_is_no_model_names_none(tmp_path):
    whole, path = naming("w.bin"), tmp_path / "net.onnx"
    (tmp_path / "w.bin").touch()
    cut = [whole[:length] for length in range(len(whole))]
    for content in (*cut, os.urandom(2000), b"\xff" * 100, b"\x3a\xff\xff\xff\xff\x7f", b"\x3b"):
        path.write_bytes(content)
        assert companions(path) == []


def test_the_images_that_a_table_names_are_its_companions(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.jpg").touch()
    table = tmp_path / "data.csv"
    table.write_text("image,label\ncats/a.jpg,cat\ncats/gone.jpg,cat\n")
    assert companions(table) == ["cats/a.jpg"]
    table.write_text("cat\ndog\n")  # a file of labels
    assert companions(table) == []
    below = tmp_path / "below" / "data.csv"
    below.parent.mkdir()
    below.write_text("image,label\n../cats/a.jpg,cat\n")
    with pytest.raises(UsageError, match=r"names \.\./cats/a\.jpg, which is not below its folder"):
        companions(below)
