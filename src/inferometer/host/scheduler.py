"""The batch system's job that this process runs in, by the variables that Slurm sets (sbatch's manual, OUTPUT ENVIRONMENT VARIABLES)."""

from __future__ import annotations

from collections.abc import Mapping

_SLURM = {
    "job": "SLURM_JOB_ID",
    "step": "SLURM_STEP_ID",
    "array_job": "SLURM_ARRAY_JOB_ID",
    "array_task": "SLURM_ARRAY_TASK_ID",
    "name": "SLURM_JOB_NAME",
    "cluster": "SLURM_CLUSTER_NAME",
    "partition": "SLURM_JOB_PARTITION",
    "account": "SLURM_JOB_ACCOUNT",
    "nodes": "SLURM_JOB_NODELIST",
    "node": "SLURMD_NODENAME",
    "cpus_on_node": "SLURM_CPUS_ON_NODE",
    "gpus_on_node": "SLURM_GPUS_ON_NODE",
}


def batch_job(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Slurm says of the job by short names, with its ``system``; {} outside of one."""
    if not environ.get("SLURM_JOB_ID"):
        return {}
    told = {key: environ[variable] for key, variable in _SLURM.items() if environ.get(variable)}
    return {"system": "slurm", **told}


def cpus_given(environ: Mapping[str, str]) -> int | None:
    """Return how many CPUs a Slurm job gives this process, which not every Slurm enforces by affinity; None outside of one."""
    if not environ.get("SLURM_JOB_ID"):
        return None
    told = environ.get("SLURM_CPUS_PER_TASK") or environ.get("SLURM_CPUS_ON_NODE") or ""
    return int(told) if told.isdigit() and int(told) else None


def job_words(job: Mapping[str, str]) -> str:
    """Return a job in words: "Slurm job 42 (train) on cluster a, node n7"."""
    text = f"{job.get('system', '').capitalize()} job {job.get('job', '')}"
    text += f" ({job['name']})" if "name" in job else ""
    places = [f"{key} {job[key]}" for key in ("cluster", "node") if key in job]
    return f"{text} on {', '.join(places)}" if places else text
