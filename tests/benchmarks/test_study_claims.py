import importlib.util
import sys
from pathlib import Path

import pytest

from seed_data import seed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def claims():
    spec = importlib.util.spec_from_file_location("study_claims", ROOT / "benchmarks/study_claims.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_document_is_what_the_script_says(claims):
    assert (ROOT / "docs/study-claims.md").read_text(encoding="utf-8") == claims.render(claims.load(seed()))


def test_claims_that_are_plainly_wrong_are_found(claims):
    words = {claim: verdict.word for _, claim, verdict in claims.check(claims.load(seed()))}
    wrong = {claim for claim, word in words.items() if word == "does not hold"}
    assert wrong == {
        "Table 1 marks every GPU that outperformed the V100 with an asterisk.",
        "On the TITAN X tfxla outperforms the others at batch size 16.",
        "On the V100 tftrtfp32 rises least.",
    }
    assert words["The A2 had the better power consumption in watts in every case."] == "holds"
    assert words["Onnxrt is among the fastest but not power efficient."] == "holds in part"
