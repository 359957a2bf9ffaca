import pytest

from data_sets import image


@pytest.fixture
def folder(tmp_path):
    for name, colour in {"cat": (255, 0, 0), "dog": (0, 255, 0), "owl": (0, 0, 255)}.items():
        image(tmp_path / "data" / name / "1.png", colour=colour)
    image(tmp_path / "data" / "owl" / "2.png", colour=(0, 0, 255))
    return tmp_path / "data"
