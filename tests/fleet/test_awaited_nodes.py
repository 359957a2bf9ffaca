"""Nodes that are asked what they are, of which some answer late, never, or that they cannot; what Ray does is pretended."""

import pytest

from inferometer.fleet import cluster as clusters
from inferometer.fleet.cluster import Cluster, Seen
from parts import needed

ANSWER = {"version": "0.0.9"}
NODES = [Seen("1", "a", 8, 0), Seen("2", "b", 8, 0)]


class Envoy:
    """What was asked of a node; ``facts`` is the reference to its answer."""

    def __init__(self, facts):
        self.facts, self.released = facts, False

    def release(self):
        self.released = True


class Ray:
    """Answers from ``answers``, by the ids of nodes; notes how long it may wait."""

    def __init__(self, exceptions, answers):
        self.exceptions, self.answers, self.waits = exceptions, answers, []

    def remote(self, **needs):
        return lambda made: made

    def wait(self, references, num_returns, timeout):
        self.waits.append((num_returns, timeout))
        return [each for each in references if each in self.answers], []

    def get(self, reference, timeout):
        answer = self.answers.get(reference, self.exceptions.GetTimeoutError())
        if isinstance(answer, Exception):
            raise answer
        return answer


class Asked(Cluster):
    """A cluster whose nodes' envoys are kept in ``envoys``."""

    def __init__(self, answers):
        import ray.exceptions

        super().__init__(Ray(ray.exceptions, answers), by_client=False)
        self.envoys = {}

    def _envoy(self, node, name):
        self.envoys[node.id] = Envoy(node.id)
        return self.envoys[node.id]


@pytest.fixture
def told():
    needed("ray")
    return []


def names(nodes):
    return [node.name for node in nodes]


def test_a_node_that_hangs_delays_no_other_and_is_asked_again(told):
    answers = {"1": ANSWER}
    cluster = Asked(answers)
    assert names(cluster.ask(NODES, "fleet", told.append, 120.0, 10.0)) == ["a"]
    first, more = cluster._ray.waits
    assert first == (1, pytest.approx(120, abs=30)) and more == (2, 10.0)
    assert names(cluster.awaited) == ["b"] and not told
    cluster.let_go()
    assert [cluster.envoys[each].released for each in "12"] == [True, False]
    answers["2"] = ANSWER
    assert names(cluster.ask(NODES[1:], "fleet", told.append, 1.0, 1.0)) == ["b"]
    assert not cluster.awaited and not told
    cluster.let_go()
    assert cluster.envoys["2"].released


def test_all_are_waited_for_where_nobody_begins_meanwhile(told):
    cluster = Asked({"1": ANSWER})
    cluster.ask(NODES, "", told.append)
    assert [most_s for _, most_s in cluster._ray.waits] == [pytest.approx(120, abs=30)] * 2


def test_a_node_that_never_answers_is_told_and_left_out(told, monkeypatch):
    monkeypatch.setattr(clusters, "LOOK_S", 0.0)
    cluster = Asked({"1": ANSWER})
    assert names(cluster.ask(NODES, "fleet", told.append, 0.0, 0.0)) == ["a"]
    assert told == ["node b does not answer and is left out: nothing came within 0 s"]
    assert not cluster.awaited and cluster.envoys["2"].released


def test_a_node_that_is_gone_is_awaited_no_more(told):
    cluster = Asked({"1": ANSWER})
    cluster.ask(NODES, "fleet", told.append, 0.0, 0.0)
    assert cluster.ask([], "fleet", told.append, 0.0, 0.0) == [] and not cluster.awaited


def test_why_what_is_to_measure_does_not_start_is_told_whole(told):
    from ray.exceptions import RayTaskError

    words = "what is to measure does not start: ModuleNotFoundError: No module named 'msgspec'"
    traceback = f"ray::Envoy.meet() (pid=1)\n{'^' * 300}\nOSError: {words}"
    cluster = Asked({"1": RayTaskError("meet", traceback, OSError(words)), "2": ANSWER})
    assert names(cluster.ask(NODES, "fleet", told.append)) == ["b"]
    assert told == [f"node a does not answer and is left out: {words}"]


def test_a_node_that_is_to_measure_is_not_let_go(told):
    cluster = Asked({"1": ANSWER, "2": ANSWER})
    cluster.ask(NODES, "fleet", told.append)
    cluster.let_go(["2"])
    assert [cluster.envoys[each].released for each in "12"] == [True, False]
