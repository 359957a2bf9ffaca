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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that of two processes none waits for the other at the end."""
    slow = {item.path for item in items if item.get_closest_marker("environment")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep a file's tests in one process, and all that need a Ray of their own, which would wait for each other."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "tests/fleet" if file.endswith("_clusters.py") else file

    return Files(config, log)


@pytest.fixture(autouse=True)
def _every_gpu_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan for pretended GPUs whatever a scheduler has hidden from these tests."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
