"""Photos as rows: made of the same, they are the same."""

from inferometer.models import photo_inputs
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.step_cache import StepCache


def test_photos_made_again_have_equal_bytes(tmp_path):
    def stack(folder):
        steps = StepCache(lambda *_: {}, ArtifactCache(tmp_path / folder), lambda text: None)
        return photo_inputs.stack(steps, None, 16, 16)[0].read_bytes()

    assert stack("1") == stack("2")
