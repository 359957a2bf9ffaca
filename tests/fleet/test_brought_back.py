"""What a host lacks comes back from a node in pieces, as it went there, one at a time. Ray alone is pretended."""

import sys
from types import SimpleNamespace

import pytest

from inferometer.errors import StoreError
from inferometer.fleet import cluster as clusters
from inferometer.fleet import goods
from inferometer.fleet.cluster import Cluster
from travelled import sent

MOST = 2**20  # bytes of a piece here
CONTENT = bytes(range(256)) * 2**15  # 8 MiB


class LostError(Exception):
    """A node is gone."""


class FailedError(LostError):
    """What was asked of a node failed there."""


class Ray:
    """Actors are objects of this process, each with its node's cache; what they answer is kept until it is got."""

    exceptions = SimpleNamespace(RayError=LostError, RayTaskError=FailedError, GetTimeoutError=TimeoutError)

    def __init__(self, monkeypatch, caches, *, lost_after=()):
        self._patch, self._caches = monkeypatch, caches
        self.lost_after = dict(lost_after)  # node -> pieces that it gives before it is gone
        self.sizes = {}  # node -> of what it gave

    def nodes(self):
        facts = {"NodeManagerHostname": "host", "Resources": {"CPU": 1.0}, "Alive": True}
        return [{**facts, "NodeID": name} for name in self._caches]

    def remote(self, **options):
        return lambda kind: SimpleNamespace(
            options=lambda scheduling_strategy: SimpleNamespace(
                remote=lambda *arguments: self._actor(kind(*arguments), scheduling_strategy)
            )
        )

    def _actor(self, actor, node):
        return SimpleNamespace(piece=SimpleNamespace(remote=lambda: (node, actor.piece)))

    def wait(self, references, timeout):
        pass

    def get(self, reference, timeout):
        node, ask = reference
        given = self.sizes.setdefault(node, [])
        if len(given) == self.lost_after.get(node):
            raise LostError("the node is gone")
        with self._patch.context() as there:
            there.setenv("INFEROMETER_CACHE", str(self._caches[node]))
            piece = ask()
        given.append(len(piece))
        return piece


@pytest.fixture
def caches(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "on_node", lambda node_id: node_id)
    monkeypatch.setattr(goods, "CHUNK_BYTES", MOST)
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "here"))
    return {name: tmp_path / name for name in ("empty", "one", "two")}


@pytest.fixture
def good(caches, tmp_path, monkeypatch):
    """A file that two of the nodes were sent, and this host has no more."""
    (tmp_path / "m.onnx").write_bytes(CONTENT)
    good = goods.given_good(tmp_path / "m.onnx")
    for name in ("one", "two"):
        with monkeypatch.context() as there:
            there.setenv("INFEROMETER_CACHE", str(caches[name]))
            sent(good)
    (tmp_path / "m.onnx").unlink()
    return good


def brought(ray, good):
    told = []
    path = Cluster(ray, by_client=False).bring_back(good.key, "m.onnx", told.append)
    assert path.read_bytes() == CONTENT
    return told


def left(tmp_path):
    return [*(tmp_path / "here" / "fleet-incoming").iterdir()]


def test_it_comes_in_pieces(caches, good, tmp_path, monkeypatch):
    ray = Ray(monkeypatch, caches)
    assert brought(ray, good) == []
    assert ray.sizes["empty"] == [0] and "two" not in ray.sizes
    assert len(ray.sizes["one"]) > 5 and max(ray.sizes["one"]) <= 2 * MOST
    assert not left(tmp_path)


def test_where_a_node_is_lost_meanwhile_another_gives_all_of_it(caches, good, tmp_path, monkeypatch):
    told = brought(Ray(monkeypatch, caches, lost_after={"one": 3}), good)
    assert len(told) == 1 and "the node is gone" in told[0]
    assert not left(tmp_path)


def test_what_no_node_gives_whole_is_told_and_leaves_nothing(caches, good, tmp_path, monkeypatch):
    ray = Ray(monkeypatch, caches, lost_after={"one": 3, "two": 1})
    with pytest.raises(StoreError, match=r"m\.onnx is neither on this host nor on a node"):
        brought(ray, good)
    assert not left(tmp_path)


def test_a_node_without_inferometer_is_one_that_does_not_have_it(caches, good, monkeypatch):
    del caches["one"], caches["two"]
    monkeypatch.setitem(sys.modules, "inferometer.fleet.agent", None)
    told = []
    with pytest.raises(StoreError, match="neither on this host nor on a node"):
        Cluster(Ray(monkeypatch, caches), by_client=False).bring_back(good.key, "m.onnx", told.append)
    assert told == []
