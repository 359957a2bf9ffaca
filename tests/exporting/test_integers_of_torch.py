"""A network of torch quantised for Inductor and XNNPACK: it runs in integers, and so does what is taken home."""

import pytest

import inferometer
from taken_home import assert_answers_as_it_did

pytestmark = pytest.mark.environment

NETWORK = """
import torch
from torch import nn


class Own(nn.Conv2d):  # as many networks have it, to pad as TensorFlow does: Inductor's quantiser passed over such
    def forward(self, image):
        return nn.functional.conv2d(image, self.weight, self.bias, self.stride, self.padding)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), Own(16, 16, 1)
        self.head, self.act = nn.Linear(16 * 6 * 8, 10), nn.ReLU6()  # called twice, which that quantiser refused

    def forward(self, image):
        hidden = self.act(self.norm(self.first(image)))
        return self.head((hidden + self.act(self.second(hidden))).flatten(1))


def build():
    torch.manual_seed(0)
    return Network().eval(), torch.randn(4, 3, 12, 16)
"""
FRAMEWORKS = ("executorch", "torch-compile", "torch-aot")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("integers")
    (folder / "network.py").write_text(NETWORK)
    return inferometer.run(
        f"{folder / 'network.py'}:build", frameworks=",".join(FRAMEWORKS), precisions="int8",
        batch_sizes=2, preset="quick", rounds=1, threads=1, out=folder / "run", trust_model=True,
    )  # fmt: skip


def test_programs_of_torch_run_in_integers(result):
    """Two convolutions and a linear layer, in the graph of XNNPACK and in the kernels that Inductor's code calls."""
    rows = {record.cell.framework: record for record in result.run.records}
    assert {name: (row.status, row.cause) for name, row in rows.items()} == dict.fromkeys(
        FRAMEWORKS, ("ok", "")
    )
    assert {row.actual.precision for row in rows.values()} == {"int8"}
    assert [row.actual.details["operators"] for row in rows.values()] == [{"int8": 3}] * 3
    forms = result.run.info.model.conversions
    for form in ("xnnpack-int8", "inductor-int8"):
        assert 0.001 < forms[form]["loss"]["error"] < 0.1


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_taken_home_answers_as_the_row_did(result, framework, tmp_path):
    assert_answers_as_it_did(result.run.path, f"{framework}/int8/2", tmp_path / "deploy")
