import numpy as np
import pytest

from inferometer.models.steps import dimensions, tensors

IMAGE = {"name": "x", "shape": [None, 3, 8], "dtype": "float32"}
TOKENS = {"name": "ids", "shape": [None, 5], "dtype": "int64"}


def bind(sizes, shapes, names=("x", "y")):
    specs = [{"name": name, "dtype": "float32"} for name, _ in zip(names, sizes, strict=False)]
    return [spec["shape"] for spec in dimensions.bind(specs, sizes, shapes)]


def test_first_dimension_is_the_batch_and_names_are_bound():
    assert bind([["N", 3, "h", None]], {"h": 8, "x.3": 9}) == [[None, 3, 8, 9]]
    assert bind([[None, "n"], ["batch", "n"]], {"n": 4}) == [[None, 4], [None, 4]]


def test_a_given_batch_is_fixed():
    assert bind([["batch", 3]], {"batch": 2}) == [[2, 3]]
    assert bind([[1, 3]], {}) == [[1, 3]]


def test_open_dimensions_are_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"open: h, x.3; give --shape h=N --shape x.3=N"):
        bind([["N", 3, "h", None]], {})


def test_input_and_axis_name_a_dimension_that_has_a_name():
    assert bind([["N", "h"], ["N", "h"]], {"h": 8, "x.1": 9}) == [[None, 9], [None, 8]]


def test_a_name_that_is_none_is_input_and_axis():
    with pytest.raises(ValueError, match=r"open: x\.2; give --shape x\.2=N"):
        bind([["?", 3, "?"]], {})
    assert bind([["?", 3, "?"]], {"x.2": 8}) == [[None, 3, 8]]


def test_unknown_shape_names_are_refused_with_a_near_one():
    with pytest.raises(ValueError, match="does not have: heigth; did you mean height"):
        bind([["N", "height"]], {"heigth": 8})
    with pytest.raises(ValueError, match="does not have: width"):
        bind([["N", 3]], {"width": 8})


@pytest.mark.parametrize(
    ("sizes", "told"),
    [([], "has no inputs"), ([[0, 3]], "'x' has shape 0x3"), ([[-4]], "-4"), ([["N", -2]], "batchx-2")],
)
def test_models_without_inputs_or_rows_are_refused(sizes, told):
    with pytest.raises(ValueError, match=told):
        bind(sizes, {})


def test_an_axis_may_be_empty():
    assert bind([["N", 0]], {}) == [[None, 0]]


def test_scalars_and_differing_first_dimensions_are_refused():
    with pytest.raises(ValueError, match="'x' is a scalar"):
        bind([[]], {})
    with pytest.raises(ValueError, match=r"first dimensions differ \(x: open, y: 7\)"):
        bind([["N", 3], [7, 3]], {})


def test_names_become_identifiers_and_stay_unique():
    assert tensors.safe_names(["a:0", "a", "a/b", "1x", ""]) == ["a", "a_1", "a_b", "_1x", "input"]


def test_generated_data_is_seeded_distinct_and_in_range():
    drawn = tensors.generate([IMAGE, TOKENS], {"ids": [3, 9]}, 0, {})
    again = tensors.generate([IMAGE, TOKENS], {"ids": [3, 9]}, 0, {})
    other = tensors.generate([IMAGE, TOKENS], {"ids": [3, 9]}, 1, {})
    assert drawn["x"].shape == (4, 3, 8)
    assert drawn["x"].dtype == np.float32
    assert drawn["ids"].dtype == np.int64
    assert 3 <= drawn["ids"].min() <= drawn["ids"].max() < 9
    assert all(np.array_equal(drawn[name], again[name]) for name in drawn)
    assert not np.array_equal(drawn["x"], other["x"])
    assert len(np.unique(drawn["x"], axis=0)) == 4


def test_integers_stay_within_the_table_they_index():
    drawn = tensors.generate([{**TOKENS, "shape": [None, 500]}], {}, 0, {"ids": 7})["ids"]
    assert set(np.unique(drawn)) == set(range(7))
    plain = tensors.generate([{**TOKENS, "shape": [None, 500]}], {}, 0, {})["ids"]
    assert plain.min() >= 0 and 200 < plain.max() < 256  # two values alone would tell little
    assert (tensors.generate([{**TOKENS, "name": "attention_mask"}], {}, 0, {})["attention_mask"] == 1).all()


def test_other_dtypes_are_generated_or_refused():
    draw = lambda dtype: tensors.generate([{**TOKENS, "dtype": dtype}], {}, 0, {})["ids"]  # noqa: E731
    assert draw("bool").dtype == bool
    assert draw("uint8").max() > 100
    assert draw("float16").dtype == np.float16
    with pytest.raises(ValueError, match="dtype"):
        draw("object")


def test_a_fixed_batch_gives_a_multiple_of_it():
    assert len(tensors.generate([{**IMAGE, "shape": [3, 2]}], {}, 0, {})["x"]) == 6


@pytest.mark.parametrize(
    ("ranges", "cause"),
    [
        ({"idx": [0, 1]}, r"unknown inputs: idx \(known: ids\)"),
        ({"ids": [5, 4]}, "is empty"),
        ({"ids": [0, 1e30]}, "does not fit int64"),
    ],
)
def test_bad_ranges_are_one_line(ranges, cause):
    with pytest.raises(ValueError, match=cause):
        tensors.generate([TOKENS], ranges, 0, {})


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


GOOD = np.zeros((2, 3, 8), np.float32)


@pytest.mark.parametrize(
    ("arrays", "cause"),
    [
        ({"y": GOOD}, "lacks x; has unknown y; the model's inputs are x"),
        ({"x": GOOD.astype(np.float64)}, "has dtype float64, the model takes float32"),
        ({"x": GOOD[:, :2]}, r"has shape \(2, 2, 8\), the model takes batchx3x8"),
        ({"x": GOOD[0]}, r"has shape \(3, 8\)"),
        ({"x": GOOD[:0]}, "at least one"),
        ({"x": GOOD * np.nan}, "NaN"),
    ],
)
def test_bad_inputs_are_one_line(tmp_path, arrays, cause):
    with pytest.raises(ValueError, match=cause):
        tensors.read_npz(save(tmp_path / "i.npz", **arrays), [IMAGE])


def test_unequal_rows_and_fewer_than_a_batch_are_refused(tmp_path):
    ids = np.zeros((3, 5), np.int64)
    with pytest.raises(ValueError, match="same number of rows"):
        tensors.read_npz(save(tmp_path / "i.npz", x=GOOD, ids=ids), [IMAGE, TOKENS])
    with pytest.raises(ValueError, match="has 3 rows; the model's batch is fixed to 4"):
        tensors.read_npz(save(tmp_path / "i.npz", ids=ids), [{**TOKENS, "shape": [4, 5]}])


def test_last_rows_that_fill_no_batch_are_left_out(tmp_path):
    ids = np.arange(15).reshape(3, 5)
    kept = tensors.read_npz(save(tmp_path / "i.npz", ids=ids), [{**TOKENS, "shape": [2, 5]}])["ids"]
    assert np.array_equal(kept, ids[:2])


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_a_file_that_is_no_npz_is_one_line(tmp_path, content):
    path = tmp_path / "i.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot read"):
        tensors.read_npz(str(path), [IMAGE])


def test_pickled_objects_are_refused(tmp_path):
    path = save(tmp_path / "i.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="cannot read"):
        tensors.read_npz(path, [IMAGE])


def test_npz_files_are_written_in_order_under_any_name_and_with_equal_bytes(tmp_path):
    arrays = {"file": GOOD, "a/b": np.arange(3)}
    for name in ("1.npz", "2.npz"):
        tensors.write_npz(str(tmp_path / name), arrays)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    with np.load(tmp_path / "1.npz") as file:
        assert file.files == ["file", "a/b"]
        assert np.array_equal(file["a/b"], np.arange(3))


def test_chunks_are_joined_in_order():
    array = np.arange(19.0)
    sizes = []

    def call(batch):
        sizes.append(len(batch[0]))
        return [batch[0] * 2]

    assert np.array_equal(tensors.run_in_chunks(call, [array])[0], array * 2)
    assert sizes == [8, 8, 3]


def test_a_model_without_outputs_is_refused():
    with pytest.raises(ValueError, match="the model has no outputs"):
        tensors.run_in_chunks(lambda rows: [], [np.zeros(3)])


def test_rows_are_turned_from_one_layout_to_another():
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    turned = tensors.in_layout(array, "NHWC", "NCHW")
    assert turned.shape == (2, 5, 3, 4) and turned[1, 4, 2, 3] == array[1, 2, 3, 4]
    assert np.array_equal(tensors.in_layout(turned, "NCHW", "NHWC"), array)
    for source, target in (("NHWC", "NHWC"), ("", "NCHW"), ("NHWC", "")):
        assert tensors.in_layout(array, source, target) is array
    assert tensors.in_layout(array[0], "NHWC", "NCHW").shape == (3, 4, 5)
