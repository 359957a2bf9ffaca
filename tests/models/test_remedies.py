"""A model that cannot be judged by the inputs it had says what to give, by the names of its own inputs."""

import pytest

from inferometer.errors import InputError

pytestmark = pytest.mark.environment


@pytest.mark.parametrize(
    ("name", "cause", "remedy"),
    [
        (
            "chaotic.onnx",
            "answers chaotically at fp32",
            "give real inputs (--input FILE.npz with ids), or their range (--input-range ids=LOW:HIGH)",
        ),
        (
            "batchwise.onnx",
            "depends on the batch it is computed in",
            "or fix its batch to 1 (--shape); give real inputs (--input FILE.npz with x), or their range (--input-range x=LOW:HIGH)",
        ),
        (
            "zero.onnx",
            "the reference's outputs cannot be judged",
            "give real inputs (--input FILE.npz with x), or their range (--input-range x=LOW:HIGH)",
        ),
    ],
)
def test_chaotic_batchwise_and_constant_answers(reach, onnx, name, cause, remedy):
    with pytest.raises(InputError) as caught:
        reach(onnx / name, "onnx")
    text = str(caught.value)
    assert text.startswith("set-up: ") and cause in text and text.endswith(remedy) and "\n" not in text


def test_a_model_of_images_may_be_given_photos(reach, tiny):
    with pytest.raises(InputError, match=r"--input FILE.npz with image or --image FOLDER\), or their range"):
        reach(tiny("cnn"), "keras", input_ranges={"image": (1e-30, 2e-30)})
