import errno

import pytest

from inferometer.errors import to_write_again, unknown
from inferometer.models.catalogue import APPLICATIONS


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mobilenet_v3", "did you mean 'mobilenet_v3_large' or 'mobilenet_v3_small'?"),
        ("VGG", "did you mean 'vgg16' or 'vgg19'?"),
        ("efficientnet", "did you mean 'efficientnet_b0', 'efficientnet_b1',"),
        ("efficientnet", "'efficientnet_b7' or 7 others?"),
        ("mobilenet_v3_lage", "did you mean 'mobilenet_v3_large'?"),
    ],
)
def test_names_that_begin_with_what_was_typed_come_first(name, told):
    assert told in str(unknown("model", name, APPLICATIONS))


@pytest.mark.parametrize("name", ["nosuch", "mine", "gpu0"])
def test_a_word_that_is_like_no_name_has_no_nearest(name):
    told = str(unknown("framework", name, ["torch", "onnxrt", "openvino", "litert", "jax", "keras"]))
    assert told == f"unknown framework '{name}' (known: jax, keras, litert, onnxrt, openvino, torch)"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [(errno.ENOSPC, "free space or give another --out"), (errno.ENOENT, "give another --out")],
)
def test_space_is_the_remedy_of_a_full_disk_alone(error, remedy):
    assert to_write_again(OSError(error, "why"), "give another --out") == remedy


def test_of_nothing_known_it_says_so():
    assert (
        str(unknown("built environment", "onnxrt", [])) == "unknown built environment 'onnxrt': there is none"
    )
    assert "did you mean" not in str(unknown("model", "", ["a", "b"]))
