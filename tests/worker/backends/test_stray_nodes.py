"""Nodes that ran elsewhere, in words."""

from inferometer.worker.backends.parts import stray_nodes


def test_strays_are_counted_by_kind_the_commonest_first():
    nodes = ["a/b (Foo)", "call (1) (Bar)", "c (Foo)"]
    assert stray_nodes.flags(nodes, 240) == ["3 of 240 nodes run on the CPU: 2 Foo, 1 Bar"]
    assert stray_nodes.flags([], 240) == []


def test_only_so_many_kinds_and_names_are_told():
    nodes = [f"{number} (Kind{number})" for number in range(30)]
    assert stray_nodes.flags(nodes, 31)[0].count(",") == 4
    assert stray_nodes.first_named(nodes) == nodes[:20]
