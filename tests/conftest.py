"""Shared test set-up."""

import signal

import pytest

from parts import missing

__all__ = ["missing"]

pytest_plugins = ["report_fixtures", "tiny_model"]


def pytest_configure() -> None:
    """Hear Ctrl-C, and let every child hear it: a shell that starts us in the background has it ignored by all below."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _every_gpu_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan for pretended GPUs whatever a scheduler has hidden from these tests."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
