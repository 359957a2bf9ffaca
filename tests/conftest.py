"""Shared test set-up."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from parts import missing

__all__ = ["missing"]

pytest_plugins = ["report_fixtures", "tiny_model"]
# a busy machine is slow, not wrong
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure() -> None:
    """Hear Ctrl-C, and let every child hear it: a shell that starts us in the background has it ignored by all below."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _every_gpu_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan for pretended GPUs whatever a scheduler has hidden from these tests."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
