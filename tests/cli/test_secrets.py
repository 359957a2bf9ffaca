"""Passwords that a user's environment holds reach neither the terminal nor a worker."""

import pytest

from inferometer.cli import invoke
from inferometer.running.processes.child import child_environment

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def broker(monkeypatch):
    monkeypatch.setenv("INFEROMETER_MQTT", f"mqtt://me:{SECRET}@127.0.0.1:9/EMA")


@pytest.mark.parametrize(
    "command",
    [
        ["meters"],
        ["meters", "--json"],
        ["measure", "--", "true"],
        ["meters", "publish", f"mqtt://me:{SECRET}/x@127.0.0.1:9/EMA"],
        ["run", "--meter", f"http://me:{SECRET}@127.0.0.1/EMA", "--dry-run"],
    ],
)
def test_the_terminal_shows_none(command, capfd):
    invoke(command)
    shown = capfd.readouterr()
    assert shown.out + shown.err and SECRET not in shown.out + shown.err


def test_a_worker_gets_none():
    assert SECRET not in "".join(child_environment({}, foreign=True, fetches=True).values())
