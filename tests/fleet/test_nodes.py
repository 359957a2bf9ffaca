"""Kinds of nodes, which of them measure, and what is planned for each."""

from dataclasses import replace

import msgspec
import pytest

from inferometer.errors import UsageError
from inferometer.fleet.measurement import Job, note
from inferometer.fleet.nodes import Node, Selection, by_kind, gone_on_with, slugs, wanted
from inferometer.fleet.plans import plan_views
from inferometer.host.gpus import Lack
from inferometer.planning.request import make_request
from inferometer.records import Gpu, Machine

CPU = Machine(hostname="plain", cpu="CPU A", logical_cores=8, usable_cores=8, memory_bytes=2**34)
CARD = Gpu(0, "GPU-1", "NVIDIA A2", 2**34, "580.1", "13.0", "8.6")
REQUEST = make_request("mobilenet_v3_large", frameworks="onnxrt")
GPU = msgspec.structs.replace(CPU, hostname="card", gpus=(CARD,))


def node(id, machine=CPU, **more):
    return Node(id, 8, len(machine.gpus), machine, **more)


def newer(machine, driver):
    return msgspec.structs.replace(machine, gpus=(msgspec.structs.replace(CARD, driver=driver),))


def test_nodes_are_one_kind_by_cpu_cards_and_driver():
    other = msgspec.structs.replace(CPU, cpu="CPU B")
    nodes = [node("1"), node("2"), node("3", GPU), node("4", newer(GPU, "590.2")), node("5", other)]
    found = by_kind(nodes)
    assert sorted(len(members) for members in found.values()) == [1, 1, 1, 2]
    assert node("3", GPU).kind.title == "NVIDIA A2 (driver 580.1), CPU A, 8 CPUs"


def test_a_node_that_sees_a_part_of_its_machine_s_cards_is_of_the_kind_of_that_part(monkeypatch):
    """Two Ray nodes of a GPU each on one machine, and one of none: seen on a machine with two H200s."""
    hopper = msgspec.structs.replace(CARD, index=1, uuid="GPU-2", name="NVIDIA H100", driver="590")
    both = msgspec.structs.replace(GPU, gpus=(CARD, hopper))
    first, second, none = (node(setting, both, visible=setting) for setting in ("0", "1", ""))
    assert first.kind == node("card", GPU).kind
    assert second.kind.title == "NVIDIA H100 (driver 590), CPU A, 8 CPUs"
    assert none.kind == node("plain").kind
    assert node("all", both).kind.gpus == ("NVIDIA A2", "NVIDIA H100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # of this side, which is no node
    plans = plan_views(REQUEST, [first, second, none])
    devices = {view: {cell.device for cell in planned.plan.cells} for view, planned in plans.items()}
    assert devices == {first.view: {"cuda:0"}, second.view: {"cuda:1"}, none.view: {"cpu"}}


TWINS = msgspec.structs.replace(GPU, gpus=(CARD, msgspec.structs.replace(CARD, index=1, uuid="GPU-2")))


def test_nodes_of_one_kind_are_planned_by_the_cards_that_they_see():
    first, second = (node(setting, TWINS, visible=setting) for setting in ("0", "1"))
    assert first.kind == second.kind == node("card", GPU).kind
    request = make_request("mobilenet_v3_large", frameworks="onnxrt", device="cuda:1")
    for nodes in ([first, second], [second, first]):
        plans = plan_views(request, nodes)
        assert {cell.device for cell in plans[second.view].plan.cells} == {"cuda:1"}
        assert "device cuda:1 is hidden: CUDA_VISIBLE_DEVICES=0" in plans[first.view].refusal


def test_a_node_of_a_mig_instance_is_of_no_other_node_s_kind():
    part = node("1", GPU, visible="MIG-1c2d")
    assert part.kind.title == "a MIG instance (driver 580.1), CPU A, 8 CPUs"
    plans = plan_views(REQUEST, [part, node("2")])
    assert "names a MIG instance, which cannot be measured" in plans[part.view].refusal
    assert plans[node("2").view].plan


def test_of_a_node_whose_cards_ray_may_not_give_the_cpu_is_measured():
    held_back = Node("1", 8, 0, GPU, visible="")
    assert held_back.kind == node("plain").kind
    view = held_back.view
    assert {cell.device for cell in plan_views(REQUEST, [held_back])[view].plan.cells} == {"cpu"}
    for more in ({"device": "cuda"}, {"frameworks": "tensorrt-rtx"}):
        planned = plan_views(make_request("mobilenet_v3_large", **more), [held_back])[view]
        assert "Ray may give no GPU of it (--num-gpus 0)" in planned.refusal and planned.plan is None


@pytest.mark.parametrize(
    "asked, ids",
    [(None, ["1", "3"]), ("all", ["1", "2", "3", "4"]), ("2", ["1", "2", "3", "4"]), ("gpu=a2,H100", ["3"]), ("gpu=H100", [])],
)  # fmt: skip
def test_what_is_asked_of_each_kind_measures(asked, ids):
    nodes = [node("1"), node("2"), node("3", GPU), node("4", GPU)]
    assert sorted(each.id for each in wanted(nodes, Selection.parse(asked), {})) == ids


@pytest.mark.parametrize(
    "asked, name, taken",
    [
        ("A10", "NVIDIA A10", True), ("A10", "NVIDIA A100-SXM4-40GB", False), ("A100", "NVIDIA A100-SXM4-40GB", True),
        ("a100-sxm4", "NVIDIA A100-SXM4-40GB", True), ("L4", "NVIDIA L40S", False), ("A2", "NVIDIA RTX A2000", False),
        ("H100", "NVIDIA H100 80GB HBM3", True), ("H100", "NVIDIA GH100", False), ("RTX A2000", "NVIDIA RTX A2000 12GB", True),
        ("NVIDIA A2", "NVIDIA A2", True), ("Xp", "NVIDIA TITAN Xp", True), ("X (Pascal)", "NVIDIA TITAN X (Pascal)", True),
    ],
)  # fmt: skip
def test_a_gpu_is_meant_by_whole_words_of_its_name(asked, name, taken):
    machine = msgspec.structs.replace(CPU, gpus=(msgspec.structs.replace(CARD, name=name),))
    assert Selection.parse(f"gpu={asked}").takes(node("1", machine).kind) == taken


def test_a_kind_that_has_its_nodes_needs_no_other_and_a_used_one_is_not_taken_again():
    nodes = [node("1"), node("2")]
    assert wanted(nodes, Selection.parse(None), {nodes[0].kind: 1}) == []
    assert [each.id for each in wanted(nodes, Selection.parse(None), {}, used=["1"])] == ["2"]


@pytest.mark.parametrize("text", ["0", "-1", "gpu=", "some", "1.5"])
def test_what_means_no_nodes_is_refused(text):
    with pytest.raises(UsageError, match="give all, how many of each kind, or gpu=NAME,NAME"):
        Selection.parse(text)


@pytest.mark.parametrize(
    "more, cause",
    [
        ({"version": "0.0.9"}, r"it has inferometer 0\.0\.9, here is .*: install the same there"),
        ({"version": ""}, "it has no inferometer, here is"),
        ({"free_bytes": 2**20}, r"0\.0 GiB are free for its cache, 2 are needed"),
    ],
)
def test_a_node_that_cannot_measure_says_why(more, cause):
    import re

    assert re.search(cause, node("1", **more).refusal)
    assert wanted([node("1", **more)], Selection.parse("all"), {}) == []


def test_a_head_that_gives_no_cpu_is_left_out():
    assert "--num-cpus 0" in Node("1", 0, 0, CPU).refusal


def test_each_kind_has_skips_of_its_own():
    request = make_request("mobilenet_v3_large", frameworks="onnxrt,tensorrt-rtx", batch_sizes="8")
    old = msgspec.structs.replace(
        GPU, gpus=(msgspec.structs.replace(CARD, name="NVIDIA H100", compute_capability="9.0"),)
    )
    plain, card, hopper = node("1", lack=Lack("no driver")), node("2", GPU), node("3", old)
    plans = plan_views(request, [plain, card, hopper])
    skips = {each.id: [skip.reason for skip in plans[each.view].plan.skips] for each in (plain, card, hopper)}
    assert skips["1"] == ["needs an NVIDIA GPU: no driver"] and skips["2"] == []
    assert "runs on compute capability" in skips["3"][0]
    assert plans[card.view].forms == {"onnx"}
    nothing = plan_views(make_request("mobilenet_v3_large", frameworks="tensorrt-rtx"), [plain])[plain.view]
    assert nothing.plan is None and nothing.refusal.startswith("nothing can be measured: needs an NVIDIA GPU")
    elsewhere = plan_views(make_request("mobilenet_v3_large", device="cuda:0"), [plain])[plain.view]
    assert "device cuda:0 does not exist" in elsewhere.refusal


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"threads": 64}, "--threads 64 is more than this machine's 8 CPUs"),
        ({"threads": 8}, ""),
        ({"threads": 4, "instances": "16"}, "--instances 16 is more than the 4 CPU threads to share out: give 4 at most"),
        ({"instances": "16"}, "--instances 16 is more than the 8 CPU threads to share out: give 8 at most"),
        ({"instances": "8"}, ""),
    ],
)  # fmt: skip
def test_a_plan_promises_no_more_threads_than_the_node_has(asked, refusal):
    more = {"scenarios": "offline"} if "instances" in asked else {}
    request = make_request("mobilenet_v3_large", frameworks="onnxrt", **asked, **more)
    planned = plan_views(request, [node("1")])[node("1").view]
    assert (planned.refusal, planned.plan is None) == (refusal, bool(refusal))


def test_a_plan_of_devices_at_once_needs_two_on_the_node():
    request = make_request("mobilenet_v3_large", frameworks="onnxrt", at_once=True)
    assert "--at-once needs two devices" in plan_views(request, [node("1")])[node("1").view].refusal


def test_folders_have_names_of_their_own():
    assert slugs(["node 1", "Node-1", "..."], taken=["node-1"]) == ["node-1-2", "node-1-3", "node"]


def parts(*nodes):
    """Return what a disk holds on which nodes measured, each its part by its name."""
    told = {"nodes": {each.name: {"hostname": each.name, "kind": each.kind.title} for each in nodes}}
    return {each.name: told for each in nodes}


def test_nodes_of_one_disk_go_on_each_with_its_own_part():
    twin = node("3", msgspec.structs.replace(CPU, hostname="twin"))
    disk = parts(node("1"), node("2", GPU))
    nodes = [replace(each, parts=disk) for each in (node("2", GPU), twin, node("1"))]
    assert gone_on_with(nodes, []) == {"1": "plain", "2": "card"}, "none is left for the twin"
    assert gone_on_with(nodes, ["plain"]) == {"2": "card"}
    other = node("4", msgspec.structs.replace(CPU, hostname="late", cpu="CPU B"))
    assert gone_on_with([replace(other, parts=disk)], []) == {}, "nobody goes on with another kind's"


def test_a_disk_that_is_another_node_s_later_is_gone_on_with():
    later = node("5", msgspec.structs.replace(CPU, hostname="pod-2"))
    assert gone_on_with([replace(later, parts=parts(node("1")))], []) == {"5": "plain"}
    assert gone_on_with([replace(later, parts={"plain": {"nodes": {}}})], []) == {}


def test_what_was_measured_on_some_cards_goes_on_on_these_alone():
    """Two nodes of one machine have one name, one kind and one disk."""
    first, second = (node(setting, TWINS, visible=setting) for setting in ("0", "1"))
    told = {"nodes": {"card": first.facts, "card-2": second.facts}}
    disk = {"card": told, "card-2": told}
    for nodes in ([first, second], [second, first]):
        assert gone_on_with([replace(each, parts=disk) for each in nodes], []) == {"0": "card", "1": "card-2"}
    whole = node("whole", GPU, parts={"card-2": told})
    assert whole.kind == second.kind and gone_on_with([whole], []) == {}, "another machine's card"
    older = {"nodes": {"card": {"hostname": "card", "kind": first.kind.title}}}
    assert gone_on_with([replace(first, parts={"card": older})], []) == {"0": "card"}


def test_time_left_is_shown_for_as_long_as_it_is_known():
    job = Job(node("1"), "one")
    note(job, {"at": "round 1, onnxrt", "done": 1, "total": 4, "left": "about 3 min left"})
    assert (job.done, job.total, job.left) == (1, 4, "about 3 min left")
    note(job, {"at": "under load, onnxrt, server"})
    assert (job.at, job.done, job.total, job.left) == ("under load, onnxrt, server", 1, 4, "")
