import pytest

from inferometer.frameworks.requirements import Requirements


@pytest.fixture
def package(tmp_path):
    """A distribution on disk, so that building an environment needs no network."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "tiny.py").write_text("VALUE = 1\n")
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    import zipfile

    with zipfile.ZipFile(wheel, "w") as file:
        file.write(folder / "tiny.py", "tiny.py")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    return Requirements("tiny", "cpu", (f"tiny @ file://{wheel}",))
