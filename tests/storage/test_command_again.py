"""The command that measured a run, as it can be given again."""

import pytest

from inferometer.storage.commands import again


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("inferometer run", "inferometer run"),
        ("inferometer run net.onnx --out 'a b' --rounds 2", "inferometer run net.onnx --rounds 2"),
        ("inferometer run --out=a --frameworks=tf,onnxrt 'my net.onnx'", "inferometer run 'my net.onnx'"),
        ("inferometer run --preset report --frameworks tf", "inferometer run --preset study"),
        ("inferometer run --preset=report report", "inferometer run --preset=study report"),
        ("inferometer run --preset quick --out --frameworks tf", "inferometer run --preset quick tf"),
        ("an imported 'table", "an imported 'table"),
    ],
)
def test_what_is_replaced_is_left_out_and_old_names_are_todays(command, given):
    assert again(command, ["--frameworks"]) == given


def test_what_is_chosen_comes_last():
    words = again("inferometer run --device cuda:0", ["--device"], ["--device", "cpu", "--python", "a=b c"])
    assert words == "inferometer run --device cpu --python 'a=b c'"
