"""What frameworks stumble over, in one line."""

import pytest

from inferometer.models.steps.refusals import refusing


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("Conv"), "X fails: KeyError: 'Conv'"),
        (RuntimeError("first\n  second\tthird"), "X fails: RuntimeError: first second third"),
        (AttributeError("\x1b[1m'bool'\x1b[0m has no shape"), "X fails: AttributeError: 'bool' has no shape"),
        (ValueError("x" * 1000), "X fails: ValueError: " + "x" * 300),
    ],
)
def test_a_frameworks_error_is_one_line_of_ours(error, line):
    with pytest.raises(ValueError) as told, refusing("X fails"):
        raise error
    assert str(told.value) == line and told.value.__cause__ is error


def test_memory_that_ran_out_is_told_as_such():
    with pytest.raises(MemoryError), refusing("X fails"):
        raise MemoryError


def test_ctrl_c_is_no_error_of_a_framework():
    with pytest.raises(KeyboardInterrupt), refusing("X fails"):
        raise KeyboardInterrupt
