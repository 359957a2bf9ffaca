"""What gRPC's threads die of is not printed; what any other thread dies of is."""

import threading

import pytest

from inferometer.fleet.quiet import quiet
from parts import needed
from processes import wait_for

needed("ray")  # which brings gRPC
CHANNELS = 50


@pytest.fixture
def died(monkeypatch):
    """Return what threads died of, as it would be printed."""
    found = []
    monkeypatch.setattr(threading, "excepthook", lambda hooked: found.append(hooked.exc_value))
    return found


def close_channels():
    """Close channels as Ray's client does where a connection breaks, and wait for the threads that watched them."""
    import grpc

    before = set(threading.enumerate())
    for _ in range(CHANNELS):
        channel = grpc.insecure_channel("127.0.0.1:1")
        channel.subscribe(print)
        channel.unsubscribe(print)
        channel.close()
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_grpcs_threads_die_without_a_word(died):
    close_channels()
    assert died, "of so many one dies with a traceback"
    died.clear()
    with quiet():
        close_channels()
    assert not died


def test_what_another_thread_dies_of_is_told(died):
    with quiet():
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert [type(error) for error in died] == [ZeroDivisionError]
