"""What parent and child say to one another: the same after the way there, and checked by the parent."""

import json

import numpy as np
import pytest

from inferometer.errors import ProtocolError
from inferometer.running.messages import read_answer
from inferometer.worker.protocol import (
    ArtifactFile,
    Call,
    Failed,
    Measure,
    Measured,
    Open,
    Opened,
    Phase,
    Value,
    decode_request,
    encode_answer,
    encode_request,
)

ARTIFACT = ArtifactFile("onnx", "/m.onnx", "NCHW", ["x"], ["y"])
OPEN = Open("torch", {"trust": False}, ARTIFACT, "fp32", "host", "cpu", 1, "/i", "/r", "NHWC", 8, "/cache")
MEASURE = Measure(2, 3, 1, 0.5, [0.1, 0.02], 0.0, 3)
MEASURED = Measured({"compile_s": 1.0}, {"passed": True}, {"device": "cpu"}, 8, loops=[{"start_ns": 1}])


@pytest.mark.parametrize("request_", [Call("worker.probe", {"modules": ["numpy"]}), OPEN, MEASURE])
def test_a_request_arrives_as_it_was_sent(request_):
    line = encode_request(request_)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode_request(line.decode()) == request_


@pytest.mark.parametrize(
    "answer", [Phase("load"), Value({"n": [1]}), Opened(1.0, 2.0), MEASURED, Failed("failed", "why", "E", 5)]
)
def test_an_answer_arrives_as_it_was_sent(answer):
    awaited = type(answer) if type(answer) not in (Phase, Failed) else Opened
    assert read_answer(json.loads(encode_answer(answer)), awaited) == answer


def test_an_operation_that_is_none_is_named():
    with pytest.raises(ValueError, match="unknown request 'dance'"):
        decode_request('{"op": "dance"}')


def test_what_json_does_not_have_is_an_error_of_the_childs():
    with pytest.raises(TypeError, match="float32 is not JSON serializable"):
        encode_answer(Value({"x": np.float32(1)}))


@pytest.mark.parametrize(
    ("message", "awaited", "said"),
    [
        ({}, Opened, "unknown event None"),
        ({"event": "dance"}, Measured, "unknown event 'dance'"),
        ({"event": "opened", "load_s": 1, "data_s": 1}, Measured, "unknown event 'opened'"),
        ({"event": "opened", "load_s": 1}, Opened, "malformed: .*data_s"),
        ({"event": "opened", "load_s": "long", "data_s": 1}, Opened, "malformed: .*load_s"),
        ({"event": "result"}, Value, "malformed: .*value"),
        ({"event": "result", "status": "ok", "loops": "many"}, Measured, "malformed"),
        ({"event": "failed", "cause": "no status"}, Measured, "malformed: .*status"),
        ({"event": "phase", "phase": 7}, Measured, "malformed: .*phase"),
    ],
)
def test_what_no_worker_of_ours_says_breaks_the_protocol(message, awaited, said):
    with pytest.raises(ProtocolError, match=said):
        read_answer(message, awaited)
