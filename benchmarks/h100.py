"""Measures everything that docs/results/h100.md claims, in steps that each fit ten minutes and go on where they stopped.

    python3 benchmarks/h100.py [STEP...] [--root /opt/inferometer] [--work /tmp/h100] [--out $OUT] [--limit 540]
                               [--sizes 8,64,512] [--background] [--device cuda:0] [--devices cuda:0,cuda:1] [--tiny]

Steps, in their usual order (several may be named; `--list` prints them with their rough length):
    check            every framework once, batch size 8: does each run, and where?
    tensorrt-memory  the TensorRT backend's page-locked and device memory, without TensorRT
    precisions       device mode, batch sizes 64 and 512: the fastest frameworks in fp32, tf32, fp16 and bf16
    pipeline         host-pipelined mode of the fastest framework beside its device mode, batch size 512
    study            the study's protocol: host mode, fp32, 8..512, 512 images, 10 loops, with energy
    others           the same for torch-compile and jax, which the study did not have
    two-gpus         two GPUs in turn, then at once, batch size 512, with as many threads a worker (--devices cuda:0,cuda:1)
    variants         device mode, fp16, batch size 8: CUDA graphs, autocast, memory layouts
    copies           host mode, fp32, batch size 512: how batches get to the GPU, beside each framework's variant `naive`
    faults           out of memory, a killed worker, a neighbour, a silent fallback, a refused GPU
    overhead         gpu_overhead.py: inferometer's loop against hand-written ones
    energy           h100_energy.py: the meters, and what metering costs
    repeatability    repeatability.py: joules an image of one steady loop, ten times (exit 1: they differ by more than 1 %)
    collect          pack what there is into OUT (done after every step too)

A step that reaches `--limit` seconds is interrupted, keeps what it has, and goes on when it is called again;
tensorrt-memory, faults, overhead, energy and repeatability then begin anew. A step that failed is tried again, one that ended well is
not (`--again`). `--background` returns at once and works on in a session of its own (parts of a bundle can be received
meanwhile, see device/README.md); a later call waits for it, since two measurements at once would disturb each other. `--tiny` runs
every step on the CPU, briefly.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from h100_machine import Deadline, Machine, logged, run

HERE = Path(__file__).resolve().parent


def names(machine: Machine, **rows: str) -> str:
    """Return the frameworks whose environment is here: environment -> rows."""
    return ",".join(row for environment, row in rows.items() if machine.has(environment))


def named(machine: Machine, *candidates: str) -> str:
    """Return the first of these frameworks with variants that this version of inferometer knows."""
    code = "import sys; from inferometer.frameworks.catalogue import parse_choice; parse_choice(sys.argv[1])"
    for candidate in candidates:
        command = [str(machine.root / "bin" / "core"), "-c", code, candidate]
        if not subprocess.run(
            command, env=machine.environment(), capture_output=True, check=False
        ).returncode:
            return candidate
    raise SystemExit(f"none of {', '.join(candidates)} is known")


def small(machine: Machine, *options: str) -> list[str]:
    """Return ``options``, cut down for a CPU."""
    cut = ["--batch-sizes", "2,8", "--images", "8", "--loops", "2", "--warmup", "1", "--budget", "1"]
    return [*options, *(cut if machine.tiny else [])]


def check(machine: Machine, deadline: Deadline) -> bool:
    tf, torch = "tf,tfxla,keras,kerasxla", "torch,torch-compile"
    rows = names(machine, tf=tf, torch=torch, onnxrt="onnxrt", jax="jax")
    whole = machine.has("tf")
    label = "check-tf" if whole else "check"
    protocol = shlex.split("--batch-sizes 8 --images 64 --loops 3 --warmup 5 --rounds 1 --budget 3")
    return run(machine, label, deadline, "--frameworks", rows, *small(machine, *protocol)) and whole


def tensorrt_memory(machine: Machine, deadline: Deadline) -> bool:
    """The CUDA half of the TensorRT backend, by the bindings that torch brings."""
    command = [str(machine.root / "bin" / "torch"), str(HERE / "device" / "cuda_memory.py")]
    return script(machine, "tensorrt-memory", command, deadline)


def precisions(machine: Machine, deadline: Deadline) -> bool:
    torch = [named(machine, f"{row}:channels_last", row) for row in ("torch", "torch-compile")]
    rows = names(machine, torch=",".join(torch), onnxrt="onnxrt", jax="jax", tf="tf,tfxla")
    wanted = "fp32" if machine.tiny else "fp32,tf32,fp16,bf16"
    sizes = machine.sizes or "64,512"
    protocol = shlex.split(
        f"--batch-sizes {sizes} --images 2048 --loops 10 --warmup 20 --rounds 1 --budget 4"
    )
    options = small(machine, "--modes", "device", "--precisions", wanted, *protocol)
    return run(machine, "precisions", deadline, "--frameworks", rows, *options)


def pipeline(machine: Machine, deadline: Deadline) -> bool:
    rows = names(machine, jax="jax")  # the fastest in device mode
    modes, precision = ("host", "fp32") if machine.tiny else ("device,host-pipelined", "fp16")
    protocol = shlex.split("--batch-sizes 512 --images 65536 --loops 4 --warmup 20 --rounds 3 --budget 10")
    options = small(machine, "--modes", modes, "--precisions", precision, *protocol)
    return run(machine, "pipeline", deadline, "--frameworks", rows, *options)


def study(machine: Machine, deadline: Deadline) -> bool:
    rows = names(machine, tf="tf,tfxla,keras,kerasxla", onnxrt="onnxrt", torch="torch")
    return run(
        machine, "study", deadline, *_study_options(machine, f"{rows},tensorrt-rtx,tftrtfp16,tftrtfp32")
    )


def others(machine: Machine, deadline: Deadline) -> bool:
    rows = names(machine, torch="torch-compile", jax="jax")
    return run(machine, "others", deadline, *_study_options(machine, rows))


def two_gpus(machine: Machine, deadline: Deadline) -> bool:
    """Measure two devices in turn and at once, each worker with half of the processors both times."""
    rows = names(machine, torch="torch", onnxrt="onnxrt")
    threads = max((os.cpu_count() or 2) // 2, 1)
    protocol = shlex.split("--batch-sizes 512 --images 2048 --loops 10 --warmup 10 --rounds 2 --budget 4")
    where = shlex.split(f"--device {machine.devices} --modes host,device --threads {threads}")
    options = ["--frameworks", rows, *small(machine, *where, *protocol)]
    done = run(machine, "two-gpus-in-turn", deadline, *options)
    if machine.tiny or not done:
        return done  # a single CPU has no neighbour
    return run(machine, "two-gpus-at-once", deadline, *options, "--at-once")


def variants(machine: Machine, deadline: Deadline) -> bool:
    torch = "torch,torch:channels_last,torch:autocast,torch:cudagraph,torch-compile"
    torch += ",torch-compile:channels_last,torch-compile:reduce-overhead"
    rows = names(machine, onnxrt="onnxrt,onnxrt:cudagraph", torch=torch)
    mode = "host --precisions fp32" if machine.tiny else "device --precisions fp16"
    protocol = shlex.split(f"--modes {mode} --batch-sizes 8 --images 1024 --loops 10 --warmup 20 --budget 4")
    options = small(machine, *protocol, "--rounds", "1")
    return run(machine, "variants", deadline, "--frameworks", rows, *options)


def copies(machine: Machine, deadline: Deadline) -> bool:
    pairs = {"torch": "torch,torch:naive", "onnxrt": "onnxrt,onnxrt:naive", "jax": "jax,jax:naive"}
    rows = names(machine, **pairs, tf="tf,tf:naive,tfxla,tfxla:naive")
    protocol = shlex.split("--modes host --batch-sizes 512 --images 2048 --loops 10 --warmup 10 --budget 4")
    options = small(machine, *protocol, "--rounds", "1")
    return run(machine, "copies", deadline, "--frameworks", rows, *options)


def _study_options(machine: Machine, rows: str) -> list[str]:
    options = ["--preset", "study", "--frameworks", rows, "--budget", "6", "--rounds", "1"]
    return small(machine, *options, *(["--batch-sizes", machine.sizes] if machine.sizes else []))


def faults(machine: Machine, deadline: Deadline) -> bool:
    command = [str(machine.root / "bin" / "core"), str(HERE / "device" / "faults.py")]
    command += ["--root", str(machine.root), "--work", str(machine.work / "results" / "faults")]
    command += ["--device", machine.device]
    return script(machine, "faults", command, deadline)


def overhead(machine: Machine, deadline: Deadline) -> bool:
    command = [str(machine.root / "bin" / "core"), str(HERE / "gpu_overhead.py"), *machine.pythons()]
    command += ["--device", machine.device, "--out", str(machine.work / "results" / "overhead")]
    return script(machine, "overhead", command, deadline)


def energy(machine: Machine, deadline: Deadline) -> bool:
    command = [str(machine.root / "bin" / "core"), str(HERE / "h100_energy.py")]
    command += [str(machine.work / "results" / "energy"), "--device", machine.device]
    return script(machine, "energy", command, deadline)


def repeatability(machine: Machine, deadline: Deadline) -> bool:
    command = [str(machine.root / "bin" / "core"), str(HERE / "repeatability.py")]
    command += [str(machine.work / "results" / "repeatability"), "--device", machine.device]
    command += ["--seconds", "0.5", "--repeats", "2"] if machine.tiny else []
    return script(machine, "repeatability", command, deadline)


def script(machine: Machine, name: str, command: list[str], deadline: Deadline) -> bool:
    """Run one of the other benchmarks, from the start each time it is called; True if it ended well."""
    program = Path(next(word for word in command if word.endswith(".py")))
    log = machine.work / "logs" / f"{name}.log"
    if not program.exists():
        print(f"{name}: {program} does not exist")
        return True
    return logged(machine, name, command, deadline, log)


STEPS = {
    "check": (check, 120),
    "tensorrt-memory": (tensorrt_memory, 5),
    "precisions": (precisions, 300),
    "pipeline": (pipeline, 280),
    "study": (study, 540),
    "others": (others, 350),
    "two-gpus": (two_gpus, 340),
    "variants": (variants, 250),
    "copies": (copies, 200),
    "faults": (faults, 150),
    "overhead": (overhead, 180),
    "energy": (energy, 400),
    "repeatability": (repeatability, 100),
}


def collect(machine: Machine, out: Path) -> None:
    """Pack results and logs into OUT/h100.tar.gz, workers' logs and figures included."""
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "h100.tar.gz.partial"
    with tarfile.open(partial, "w:gz") as archive:
        for folder in ("results", "logs", "done"):
            if (machine.work / folder).exists():
                archive.add(machine.work / folder, folder)
    partial.rename(out / "h100.tar.gz")
    print(f"{out / 'h100.tar.gz'}: {(out / 'h100.tar.gz').stat().st_size / 1e6:.2f} MB")


def detach(arguments: list[str], work: Path) -> None:
    """Start this script again in a session of its own, its output into WORK/background.log."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "background.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    print(f"working on in the background as process {child.pid}")


def measure(machine: Machine, steps: list[str], deadline: Deadline, again: bool) -> None:
    """Run steps in order until the deadline; a finished one is left out unless ``again``."""
    for name in steps:
        done = machine.work / "done" / name
        if done.exists() and not again:
            print(f"{name}: is done")
            continue
        if deadline.left_s() < 30:
            print(f"{name}: not begun, {deadline.left_s():.0f} s are left of this call")
            break
        if STEPS[name][0](machine, deadline):
            done.parent.mkdir(parents=True, exist_ok=True)
            done.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP")
    parser.add_argument("--root", type=Path, default=Path("/opt/inferometer"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/h100"))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "out")))
    parser.add_argument("--limit", type=float, default=540.0)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--devices", default="cuda:0,cuda:1", help="of the step two-gpus")
    parser.add_argument(
        "--sizes", default="", help="batch sizes of study, others and precisions, if not theirs"
    )
    parser.add_argument("--background", action="store_true")
    parser.add_argument("--again", action="store_true", help="also steps that are done")
    parser.add_argument("--fresh", action="store_true", help="forget what these steps have measured")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:16} about {seconds} s" for name, (_, seconds) in STEPS.items()))
        return
    if arguments.background:
        detach([word for word in sys.argv[1:] if word != "--background"], arguments.work)
        return
    steps = [name for name in arguments.steps or [*STEPS] if name != "collect"]
    if unknown := [name for name in steps if name not in STEPS]:
        raise SystemExit(f"unknown steps: {', '.join(unknown)} (known: {', '.join(STEPS)}, collect)")
    device, devices = ("cpu", "cpu") if arguments.tiny else (arguments.device, arguments.devices)
    machine = Machine(arguments.root, arguments.work, device, devices, arguments.tiny, arguments.sizes)
    machine.work.mkdir(parents=True, exist_ok=True)
    deadline = Deadline(
        arguments.limit
    )  # from here, since waiting for a background call takes of the same ten minutes
    with (machine.work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a background call ends first
        if arguments.fresh:
            forget(machine, steps)
        measure(machine, steps, deadline, arguments.again or arguments.fresh)
        collect(machine, arguments.out)


def forget(machine: Machine, steps: list[str]) -> None:
    """Remove what steps have measured."""
    for name in steps:
        for folder in (machine.work / "results").glob(f"{name}*"):
            shutil.rmtree(folder)
        (machine.work / "done" / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
