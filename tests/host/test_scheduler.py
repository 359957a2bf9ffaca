"""What Slurm says of the job that a run was measured in, and where it is kept."""

import msgspec

from inferometer.host.machine import usable_cores
from inferometer.host.scheduler import batch_job, cpus_given, job_words
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Machine, Protocol, RunInfo
from inferometer.running.run_info import as_begun, planned_facts

JOB = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NAME": "resnet",
    "SLURM_CLUSTER_NAME": "alps",
    "SLURMD_NODENAME": "nid001",
    "SLURM_JOB_NODELIST": "nid[001-002]",
    "SLURM_CPUS_ON_NODE": "72",
}


def test_a_job_is_named_by_what_slurm_tells():
    job = batch_job({**JOB, "SLURM_JOB_ACCOUNT": "", "SLURM_CONF": "/etc/slurm.conf"})
    assert job == {
        "system": "slurm",
        "job": "4711",
        "name": "resnet",
        "cluster": "alps",
        "nodes": "nid[001-002]",
        "node": "nid001",
        "cpus_on_node": "72",
    }
    assert job_words(job) == "Slurm job 4711 (resnet) on cluster alps, node nid001"
    assert job_words(batch_job({"SLURM_JOB_ID": "1"})) == "Slurm job 1"


def test_outside_of_a_job_there_is_none():
    assert batch_job({"SLURM_CONF": "/etc/slurm.conf"}) == {}


def facts():
    return planned_facts(RunRequest(protocol=Protocol()), Machine(), Plan({}, (), (), {}))


def test_a_run_keeps_its_jobs_and_a_resumed_one_those_of_before(monkeypatch, tmp_path):
    for variable in ("SLURM_JOB_ID", *JOB):
        monkeypatch.delenv(variable, raising=False)
    assert facts().jobs == ()
    for variable, value in JOB.items():
        monkeypatch.setenv(variable, value)
    begun = facts()
    assert [job["job"] for job in begun.jobs] == ["4711"]
    assert as_begun(facts(), begun, tmp_path).jobs == begun.jobs
    monkeypatch.setenv("SLURM_JOB_ID", "4712")
    assert [job["job"] for job in as_begun(facts(), begun, tmp_path).jobs] == ["4711", "4712"]
    assert msgspec.json.decode(msgspec.json.encode(begun), type=RunInfo).jobs == begun.jobs


def test_a_run_takes_the_cpus_that_its_job_was_given_and_no_more(monkeypatch):
    assert cpus_given({"SLURM_CPUS_PER_TASK": "4"}) is None  # no job
    assert cpus_given(JOB) == 72
    assert cpus_given({**JOB, "SLURM_CPUS_PER_TASK": "4"}) == 4
    assert cpus_given({"SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "72(x2)"}) is None
    for variable, value in {**JOB, "SLURM_CPUS_PER_TASK": "1"}.items():
        monkeypatch.setenv(variable, value)
    assert usable_cores() == 1
