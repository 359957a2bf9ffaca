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


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups next
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that need a Ray of their own, which would wait for each other; the slow ones go first."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        alone = "no_other_ray" in getattr(item, "fixturenames", ())
        groups.setdefault("ray" if alone else item.nodeid.partition("::")[0], []).append(item)
    slow = {name: any(item.get_closest_marker("environment") for item in own) for name, own in groups.items()}
    for name, own in groups.items():
        for item in own:
            item.add_marker(pytest.mark.xdist_group(name))
    items[:] = [item for name in sorted(groups, key=lambda name: not slow[name]) for item in groups[name]]


@pytest.fixture(autouse=True)
def _every_gpu_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan for pretended GPUs whatever a scheduler has hidden from these tests."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
