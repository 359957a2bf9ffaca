"""What an exported folder says of the data set that its row answered."""

from inferometer.exporting.proof import dataset
from inferometer.exporting.readme import _preprocessing
from inferometer.records import DatasetInfo


def test_how_images_became_inputs_and_the_names_of_the_classes_go_along():
    facts = {"scale": 0.5, "mean": [1.0, 2.0, 3.0]}
    known = DatasetInfo(path="/home/me/photos", rows=9, classes=2, labels=("cat", "dog"), preprocessing=facts)
    told = dataset(known)
    assert (told["path"], list(told["labels"]), told["preprocessing"]) == ("photos", ["cat", "dog"], facts)
    assert "images of photos became inputs by" in _preprocessing({"dataset": told})
    assert "mean [1.0, 2.0, 3.0]" in _preprocessing({"dataset": told})


def test_runs_without_a_data_set_say_nothing_of_it():
    assert dataset(None) is None
    assert _preprocessing({"dataset": None}) == ""
