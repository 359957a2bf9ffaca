"""What a resumed run keeps of its beginning."""

from pathlib import Path

import pytest

from inferometer.errors import StoreError
from inferometer.execution import _as_begun
from inferometer.records import ModelInfo, RunInfo

BEGUN = RunInfo(created_at="then", command="inferometer run m.onnx", model=ModelInfo("m", hash="a"))


def test_when_and_how_it_was_begun_stays():
    now = RunInfo(
        created_at="now", command="inferometer run --resume d", model=ModelInfo("m", hash="a"), notes=("n",)
    )
    kept = _as_begun(now, BEGUN, Path("d"))
    assert (kept.created_at, kept.command, kept.notes) == ("then", "inferometer run m.onnx", ("n",))


def test_records_of_two_models_are_not_mixed():
    with pytest.raises(StoreError, match="another content of m"):
        _as_begun(RunInfo(model=ModelInfo("m", hash="b")), BEGUN, Path("d"))
    assert _as_begun(RunInfo(model=ModelInfo("m", hash="b")), RunInfo(), Path("d")).model.hash == "b"
