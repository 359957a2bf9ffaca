"""Planning and merging of a fleet stays cheap as it grows (the whole of it: benchmarks/fleet_scale.py)."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_hundred_nodes_are_planned_and_merged_in_seconds(tmp_path):
    spec = importlib.util.spec_from_file_location("fleet_scale", ROOT / "benchmarks/fleet_scale.py")
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    nodes = script.made_up(100, 12)
    script.write_runs(tmp_path, nodes)
    plan_s, merge_s, _ = script.measure(tmp_path, nodes, 12)
    assert plan_s + merge_s < script.AIM_S / 2
