"""Who uses Ray in threads, and how they end before it does."""

import threading

import pytest

from inferometer.errors import StoreError
from inferometer.fleet.gate import Gate


def test_those_who_use_it_end_before_it_is_closed_and_nobody_comes_after():
    gate, inside, left = Gate(), threading.Event(), []

    def use():
        with gate.used():
            inside.set()
            try:
                while True:
                    gate.check()
            except StoreError as error:
                left.append(str(error))

    user = threading.Thread(target=use)
    user.start()
    inside.wait()
    gate.close()
    assert left == ["interrupted; what had come from it is kept"]
    with pytest.raises(StoreError, match="interrupted"), gate.used():
        pass
    user.join()


def test_one_who_does_not_end_is_not_waited_for_forever(monkeypatch):
    monkeypatch.setattr("inferometer.fleet.gate._LEAVE_S", 0.01)
    gate, inside, end = Gate(), threading.Event(), threading.Event()

    def use():
        with gate.used():
            inside.set()
            end.wait()

    user = threading.Thread(target=use)
    user.start()
    inside.wait()
    gate.close()
    assert user.is_alive()
    end.set()
    user.join()
