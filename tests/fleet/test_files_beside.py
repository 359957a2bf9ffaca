"""What a file of the user's names beside itself travels with it: an ONNX file's weights, a table's images."""

import hashlib

import pytest

from inferometer.errors import StoreError
from inferometer.fleet import agent, goods
from steprunner import write_onnx
from travelled import sent


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def _written(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx"))


@pytest.fixture
def model(_written, tmp_path):
    (tmp_path / "parts").mkdir()
    for name in ("external.onnx", "parts/w.bin"):
        (tmp_path / name).write_bytes((_written / name).read_bytes())
    return tmp_path / "external.onnx"


@pytest.mark.environment
def test_an_onnx_file_arrives_with_the_weights_beside_it(model):
    good = goods.given_good(model)
    sent(good)
    there = goods.placed_at(good.key, "external.onnx")
    for name in ("external.onnx", "parts/w.bin"):
        assert (there.parent / name).read_bytes() == (model.parent / name).read_bytes()


@pytest.mark.environment
def test_weights_that_change_make_it_another_file(model):
    good = goods.given_good(model)
    (model.parent / "parts" / "w.bin").write_bytes(b"\0" * 9600)
    assert goods.given_good(model).key != good.key
    with pytest.raises(StoreError, match=r"external\.onnx was changed after the run began"):
        sent(good)


@pytest.mark.environment
def test_a_node_gives_back_what_it_was_sent(model, tmp_path, monkeypatch):
    good = goods.given_good(model)
    sent(good)
    back = [*agent.given(good.key, "external.onnx")]
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "other"))
    incoming = goods.Incoming(good.place, good.key, "external.onnx")
    for piece in back:
        incoming.add(piece)
    incoming.finish(hashlib.sha256(b"".join(back)).hexdigest())
    assert (goods.placed_at(good.key, "external.onnx").parent / "parts" / "w.bin").is_file()


def test_a_table_of_images_arrives_with_them(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.jpg").write_bytes(b"a cat")
    (tmp_path / "not-named.jpg").touch()
    table = tmp_path / "data.csv"
    table.write_text("image,label\ncats/a.jpg,cat\n")
    good = goods.given_good(table)
    sent(good)
    there = goods.placed_at(good.key, "data.csv").parent
    assert (there / "cats" / "a.jpg").read_bytes() == b"a cat"
    assert not (there / "not-named.jpg").exists()
