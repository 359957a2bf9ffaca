"""Cuts what ../h100.py needs into volumes that a transfer takes, so that docs/results/h100.md can be measured without a network.

    python benchmarks/device/pack.py FOLDER VOLUMES

FOLDER/*.tar.zst become VOLUMES/00, VOLUMES/01, ... of at most 62,000,000 bytes, in the order in which they are wanted.
All archives form one stream; manifest.json (a copy in each volume) says where each begins and what its checksum is.
The first volume also holds this machine's zstd and its libraries, in case the other machine has none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

ORDER = ("core", "keras", "models", "ort", "tf", "tfrest")
VOLUME_BYTES = 62_000_000
_TOOLS_BYTES = 4_000_000  # room for zstd in the first volume


def main(folder: Path, volumes: Path) -> None:
    archives = [folder / f"{name}.tar.zst" for name in ORDER]
    archives = [path for path in archives if path.exists()]
    shutil.rmtree(volumes, ignore_errors=True)
    entries, start = [], 0
    for path in archives:
        size = path.stat().st_size
        digest = hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
        entries.append({"name": path.name, "start": start, "bytes": size, "sha256": digest})
        start += size
    numbers = _write(archives, volumes)
    manifest = {"volumes": numbers, "archives": entries}
    for volume in volumes.iterdir():
        (volume / "manifest.json").write_text(json.dumps(manifest, indent=1))
    _copy_zstd(volumes / "00")
    edges = [sum(numbers[: n + 1]) for n in range(len(numbers))]
    for entry in entries:
        end = entry["start"] + entry["bytes"]
        last = next(n for n, edge in enumerate(edges) if edge >= end)
        print(f"{entry['name']:18} {entry['bytes'] / 1e6:8.1f} MB, whole with volume {last:02}")
    print(f"{len(numbers)} volumes, {start / 1e6:.1f} MB")


def _write(archives: list[Path], volumes: Path) -> list[int]:
    """Write the stream's pieces and return their sizes."""
    sizes: list[int] = []
    room = 0
    target = None
    for path in archives:
        with path.open("rb") as source:
            while True:
                if not room:
                    room = VOLUME_BYTES - (_TOOLS_BYTES if not sizes else 0)
                    volume = volumes / f"{len(sizes):02}"
                    volume.mkdir(parents=True)
                    target = (volume / "piece").open("wb")
                    sizes.append(0)
                block = source.read(min(room, 1 << 20))
                if not block:
                    break
                target.write(block)
                sizes[-1] += len(block)
                room -= len(block)
                if not room:
                    target.close()
    if target:
        target.close()
    return sizes


def _copy_zstd(volume: Path) -> None:
    program = shutil.which("zstd")
    if program is None:
        raise SystemExit("zstd is not installed here")
    tools = volume / "zstd"
    tools.mkdir()
    shutil.copy(program, tools / "zstd")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        library = line.partition("=>")[2].split()
        if library and not library[0].rpartition("/")[2].startswith(("libc.", "libm.")):
            shutil.copy(library[0], tools)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the archives")
    parser.add_argument("volumes", type=Path, help="folder to write; what is in it is removed")
    options = parser.parse_args()
    main(options.folder, options.volumes)
