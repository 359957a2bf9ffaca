"""A framework that misbehaves on demand; runs inside real worker processes."""

import ctypes
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from inferometer.worker.backend import Backend, Pipeline


class TwoInFlight(Pipeline):
    def __init__(self, run):
        self.run = run
        self.waiting = []

    def submit(self, batch):
        assert all(array.dtype == np.uint8 for array in batch)
        self.waiting.append(batch)
        return [self.run(self.waiting.pop(0))] if len(self.waiting) > 2 else []

    def drain(self):
        ready, self.waiting = self.waiting, []
        return [self.run(batch) for batch in ready]


def first_time(path):
    """Return whether no worker has asked for this path before; always where there is none."""
    try:
        return path is None or not Path(path).touch(exist_ok=False)
    except FileExistsError:
        return False


class Runtime(Backend):
    def __init__(self, opening):
        self.opening = opening
        self.behaviour = opening.options.get("behaviour", "")
        self.at = opening.options.get("at", 0)  # batch size at which it misbehaves; 0: always
        if opening.options.get("litters"):
            self.litter(Path(opening.options["litters"]))
        if opening.options.get("spreads"):
            os.sched_setaffinity(0, range(os.cpu_count()))
        if opening.options.get("says") and first_time(opening.options.get("says_once")):
            print(opening.options["says"], file=sys.stderr, flush=True)
        if opening.options.get("open") and first_time(opening.options.get("open_once")):
            self.misbehave(opening.options["open"])

    def misbehave(self, what):
        if what == "segfault":
            ctypes.string_at(0)
        elif what == "abort":
            os.abort()
        elif what == "hang":
            time.sleep(1000)
        elif what == "spin":
            while True:
                pass
        elif what == "memory":
            raise MemoryError("cannot allocate 12345 bytes")
        elif what == "raise":
            raise ValueError("the model\nis odd")
        elif what == "unsupported":
            raise NotImplementedError("no such operator")
        elif what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "exit":
            os._exit(3)
        elif what == "garbage":
            os.write(int(sys.argv[2]), b"\x00\xffthis is no JSON\n")
            time.sleep(1000)
        elif what == "silent":
            os.close(int(sys.argv[2]))
            time.sleep(1000)
        elif what == "object":
            os.write(int(sys.argv[2]), b'{"event": "result", "status": "ok", "loops": "many"}\n')
        elif what == "opened":
            os.write(int(sys.argv[2]), b'{"event": "opened", "load_s": "long"}\n')
        elif what == "stdout":
            print("x" * 200_000, flush=True)
            print('{"event": "result"}', file=sys.stderr, flush=True)

    def litter(self, told):
        """Write into the temporary folder, and say which that is."""
        folder = Path(tempfile.gettempdir())
        (folder / "nested" / "deeper").mkdir(parents=True)
        (folder / "nested" / "deeper" / "generated.py").write_text("code")
        tempfile.mkstemp()
        with told.open("a") as file:
            file.write(f"{folder}\n")

    def meet(self, place, size):
        """Wait until two workers are at this batch size."""
        (place / f"{size}-{os.getpid()}").touch()
        while len(list(place.glob(f"{size}-*"))) < 2:
            time.sleep(0.005)

    def prepare(self, batch):
        if self.opening.options.get("meet"):
            self.meet(Path(self.opening.options["meet"]), len(batch[0]))
        if self.opening.options.get("compiles"):
            self.opening.cache.mkdir(parents=True, exist_ok=True)
            (self.opening.cache / f"{len(batch[0])}.bin").write_bytes(b"code")
        if not self.at or len(batch[0]) == self.at:
            self.misbehave(self.behaviour)

    def run(self, batch):
        outputs = [array.astype(np.float32) * 2 + 1 for array in batch]
        if self.behaviour == "nan":
            outputs[0][0, 0] = np.nan
        if self.behaviour == "shape":
            outputs[0] = outputs[0][:, :-1]
        if self.behaviour == "wrong":
            outputs[0] = outputs[0][::-1]
        if self.behaviour == "slow":
            time.sleep(0.02)
        if "service_s" in self.opening.options:
            self.serve(batch)
        if self.behaviour == "wrong under load" and "mlperf_loadgen" in sys.modules:
            outputs[0] = outputs[0] + 1
        if self.behaviour == "no rows under load" and "mlperf_loadgen" in sys.modules:
            outputs = [np.float32(1).reshape(())]
        return {"array": outputs[0], "dictionary": {"y": outputs[0]}, "nothing": None}.get(
            self.behaviour, outputs
        )

    def serve(self, batch):
        """Take a known time: of a batch, and of each row; die or fail after so many batches, if asked to."""
        self.served = getattr(self, "served", 0) + ("mlperf_loadgen" in sys.modules)
        if self.served > self.opening.options.get("dies_after", 10**9) and first_time(
            self.opening.options.get("dies_once")
        ):
            self.misbehave(self.opening.options["dies"])
        batch_s, row_s = self.opening.options["service_s"]
        key = batch[0].tobytes()
        cached = self.behaviour == "caches" and getattr(self, "last", None) == key
        self.last = key
        switched = getattr(self, "last_size", len(batch[0])) != len(batch[0])
        self.last_size = len(batch[0])
        switch_s = self.opening.options.get("switch_s", 0.0) if switched else 0.0
        speed = self.opening.options.get("speeds_up", 1) if "mlperf_loadgen" in sys.modules else 1
        time.sleep(0 if cached else (batch_s + row_s * len(batch[0]) + switch_s) / speed)

    def pipeline(self, batch):
        if "pipeline" in self.opening.options:
            return TwoInFlight(self.run)
        return super().pipeline(batch)

    def phases(self, batch):
        if self.behaviour == "phases":
            raise MemoryError("no room to sample")
        return {"copy_in": 1.0, "enqueue": 2.0, "compute": 3.0, "copy_out": 4.0}

    def flags(self):
        return list(self.opening.options.get("flags", ()))

    def actual(self):
        return {
            "device": self.opening.options.get("device", self.opening.device),
            "precision": self.opening.options.get("precision", self.opening.precision),
            "threads": self.opening.options.get("threads", self.opening.threads),
            "version": "1.0",
            **self.opening.options.get("tells", {}),
        }
