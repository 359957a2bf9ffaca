from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inferometer.errors import UsageError
from inferometer.models import images


def photo(path, size=(40, 20), colour=(255, 0, 0)):
    Image.new("RGB", size, colour).save(path)
    return path


def test_default_photos_are_real_and_credited():
    files = images.default_photos()
    assert [file.name for file in files] == ["astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]
    credits = (files[0].parent / "CREDITS.md").read_text()
    assert all(f"`{file.name}`" in credits for file in files)
    stack = images.stack(files, 224, 224)
    assert stack.shape == (4, 224, 224, 3)
    assert stack.dtype == np.float32
    assert 0 <= stack.min() < 30
    assert 225 < stack.max() <= 255
    assert all(image.std() > 30 for image in stack)
    assert sum(file.stat().st_size for file in files) < 200_000


def test_pixels_are_rgb_and_the_centre_is_kept(tmp_path):
    wide = Image.new("RGB", (60, 20), (0, 0, 255))
    wide.paste((255, 0, 0), (20, 0, 40, 20))
    wide.save(tmp_path / "wide.png")
    pixels = images.read(tmp_path / "wide.png", 10, 10)
    assert pixels.shape == (10, 10, 3)
    assert np.all(pixels[2:8, 2:8] == (255, 0, 0))


def test_a_folder_gives_its_images_by_name(tmp_path):
    for name in ("b.png", "a.jpg"):
        photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    assert [file.name for file in images.find([tmp_path])] == ["a.jpg", "b.png"]


def test_at_most_so_many_are_taken(tmp_path):
    path = photo(tmp_path / "a.png")
    assert len(images.find([path] * 100)) == images.MOST


def test_grey_transparent_and_turned_images_are_read(tmp_path):
    Image.new("L", (8, 8), 100).save(tmp_path / "grey.png")
    assert np.all(images.read(tmp_path / "grey.png", 4, 4) == 100)
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "alpha.png")
    assert images.read(tmp_path / "alpha.png", 4, 4).shape == (4, 4, 3)
    Image.new("P", (8, 8)).save(tmp_path / "palette.gif")
    assert images.read(tmp_path / "palette.gif", 4, 4).shape == (4, 4, 3)
    turned = Image.new("RGB", (20, 20), (0, 0, 0))
    turned.paste((255, 255, 255), (0, 0, 20, 10))  # white above
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.jpg", exif=exif)
    pixels = images.read(tmp_path / "turned.jpg", 20, 20)
    assert pixels[:8].mean() < 10 < 240 < pixels[12:].mean()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff\xe0garbage"]
)
def test_a_file_that_is_no_image_is_one_line(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"broken\.jpg") as caught:
        images.read(path, 4, 4)
    assert "\n" not in str(caught.value)


def test_a_cut_off_image_is_one_line(tmp_path):
    path = photo(tmp_path / "cut.jpg", (300, 300))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UsageError, match=r"cut\.jpg"):
        images.read(path, 4, 4)


def test_missing_paths_and_empty_folders_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"absent\.jpg does not exist"):
        images.find([Path("absent.jpg")])
    with pytest.raises(UsageError, match="no image in folder"):
        images.find([tmp_path])
    with pytest.raises(UsageError, match="no image given"):
        images.find([])


def test_standardized_images_have_mean_0_and_deviation_1():
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    pixels[2] = 7  # a uniform image stays finite
    standard = images.standardized(pixels)
    assert np.allclose(standard.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    assert np.allclose(standard[:2].std(axis=(1, 2, 3)), 1, atol=1e-5)
    assert np.all(standard[2] == 0)


def test_grey_is_luma():
    assert images.grey(np.array([[[[255.0, 0, 0]]]], np.float32))[0, 0, 0, 0] == pytest.approx(76.245)
