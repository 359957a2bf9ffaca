"""Nodes that ran elsewhere, in words."""

from inferometer.worker.backends.parts import stray_nodes
from inferometer.worker.flags import flag


def test_strays_are_counted_by_kind_the_commonest_first():
    nodes = [("a/b", "Foo"), ("call (1)", "Bar"), ("c", "Foo")]
    assert stray_nodes.flags(nodes, 240) == [
        flag("nodes-elsewhere", strays=3, total=240, kinds="Foo, Bar", counts="2 Foo, 1 Bar")
    ]
    assert stray_nodes.flags([], 240) == []


def test_only_so_many_kinds_and_names_are_told():
    nodes = [(str(number), f"Kind{number}") for number in range(30)]
    assert stray_nodes.flags(nodes, 31)[0]["values"]["counts"].count(",") == 4
    assert stray_nodes.first_named(nodes) == [f"{name} ({kind})" for name, kind in nodes[:20]]
