"""Observers, a watch and a writer that do something in the middle of lanes."""

import os
import signal
import threading
import time

import msgspec

from inferometer.errors import StoreError
from inferometer.flags import Flag
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import RunWriter

GPUS = ("cuda:0", "cuda:1")


class InterruptAt(SilentObserver):
    def __init__(self, phase, device="cuda:1"):
        self.phase, self.device = phase, device

    def cell_phase(self, cell, round_number, phase):
        if (phase, cell.device, cell.batch_size) == (self.phase, self.device, 4):
            raise KeyboardInterrupt


class SignalAt(SilentObserver):
    """Sends this process a signal once both devices hang."""

    def __init__(self):
        self.waiting = set()

    def cell_phase(self, cell, round_number, phase):
        if (phase, cell.batch_size) == ("prepare", 4):
            self.waiting.add(cell.device)
            if self.waiting == set(GPUS):
                os.kill(os.getpid(), signal.SIGTERM)


class FullDisk(RunWriter):
    """Has no room for what cuda:0 measures."""

    def append(self, record):
        if record.cell.device == "cuda:0":
            raise StoreError("cannot write cells.jsonl: No space left on device; free space")
        super().append(record)


class Watch:
    """Notes what it is told; one a device."""

    def __init__(self, device, notes):
        self.device, self.notes = device, notes

    def begin_worker(self, cell):
        pass

    def begin_run(self):
        self.notes.append((self.device, "begin_run"))

    def begin(self, cell, pid):
        assert cell.device == self.device
        os.kill(pid, 0)

    def end(self, record):
        assert record.cell.device == self.device
        return msgspec.structs.replace(record, flags=(*record.flags, Flag(f"seen by {self.device}")))

    def end_run(self):
        self.notes.append((self.device, "end_run"))


class Told(SilentObserver):
    """Fails if two threads tell it something at the same time."""

    def __init__(self):
        self.devices, self.busy, self.ended = (), threading.Lock(), 0

    def at_once(self, devices):
        self.devices = devices

    def cell_phase(self, cell, round_number, phase):
        self._told()

    def cell_ended(self, record):
        self.ended += 1
        self._told()

    def _told(self):
        assert self.busy.acquire(blocking=False)
        time.sleep(0.001)
        self.busy.release()
