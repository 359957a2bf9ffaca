"""CSV files that other programs, or nobody, would write: imported and shown, or refused."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from fuzzing.mutation import bytes_of
from fuzzing.outcome import Outcome, outcome_of
from inferometer import importing
from inferometer.importing import Request
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from inferometer.tables.overview import flat_rows

TABLE = "framework,batch_size,gpu,throughput\ntf,8,A2,100\ntorch,16,A2,200.5\n"
SEEDS = (
    TABLE,
    "Framework;Batch;GPU;value;unit;metric\ntf;8;A2;1,5;ms;p99\ntorch;16;A2;2,5;ms;p99\n",
    "framework,precision,batch_size,device,latency_ms,energy_wh,memory_gib,samples\ntf,fp16,8,A2,5.5,0.01,1.5,512\n",
    "Batch_Size,Elapsed_Times,Throughput,GPU_Memory_Usage\n8,0.5,1024,1000000\n8,0.51,1003.9,1000000\n",
    "region_idf,thread,device_name,energy,time\ntf_8_0,0,Tesla V100,5000000,100000\ntf_8_1,0,Tesla V100,5100000,100000\n",
)
PIECES = (
    "\r", "\n", "\r\n", '"', '""', ",", ";", "\t", "1e308", "-1", "nan", "inf", "0", "\x1b[2J", "9" * 400, "\0", "\u2028", "é", "=1+1",
    " ", "1.234,5", "1e-400", "0x10", "١٢", "1_000", "\ufeff", "x" * 2000,
)  # fmt: skip
NAMES = ("t.csv", "u.csv", "v.csv", "tf_3_it_x_py.csv", "power.csv")  # of the seeds


class CsvFiles:
    name = "CSV"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "csv"

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for _ in range(chance.randint(1, 2)):
            place = chance.randrange(len(SEEDS))
            name = chance.choice(NAMES) if chance.random() < 0.1 else NAMES[place]
            (self._folder / name).write_bytes(changed(chance, SEEDS[place]))
        wanted = Request((self._folder,), gpu=chance.choice(("", "A2")))
        return outcome_of(lambda: _imported(wanted, self._folder / "out"))


def changed(chance: random.Random, text: str) -> bytes:
    for _ in range(chance.randrange(1, 5)):
        text = (_cell if chance.random() < 0.7 else _anywhere)(chance, text)
    data = text.encode("utf-8" if chance.random() < 0.9 else chance.choice(("utf-16", "latin-1")), "replace")
    return bytes_of(chance, data) if chance.random() < 0.1 else data


def _cell(chance: random.Random, text: str) -> str:
    """Return the text with another cell in one place."""
    parts = re.split(r"([,;\n])", text)
    parts[2 * chance.randrange((len(parts) + 1) // 2)] = chance.choice(PIECES)
    return "".join(parts)


def _anywhere(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(PIECES) + text[at + chance.randrange(3) :]


def _imported(wanted: Request, out: Path) -> None:
    runs = [read_run(run) for run in importing.write(importing.read(wanted), out)]
    flat_rows(summarise(runs))
