"""Cut FOLDER/*.tar.zst into PARTS/00, PARTS/01, ... of at most 62,000,000 bytes, in the order in which they are wanted.

    python benchmarks/device/pack.py FOLDER PARTS

All archives form one stream; manifest.json (a copy in each part) says where each begins and what its checksum is.
The first part also holds this machine's zstd and its libraries, in case the other machine has none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

ORDER = ("core", "keras", "models", "ort", "tf", "tfrest")
PART_BYTES = 62_000_000
_TOOLS_BYTES = 4_000_000  # room for zstd in the first part


def main(folder: Path, parts: Path) -> None:
    archives = [folder / f"{name}.tar.zst" for name in ORDER]
    archives = [path for path in archives if path.exists()]
    shutil.rmtree(parts, ignore_errors=True)
    entries, start = [], 0
    for path in archives:
        size = path.stat().st_size
        digest = hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
        entries.append({"name": path.name, "start": start, "bytes": size, "sha256": digest})
        start += size
    numbers = _write(archives, parts)
    manifest = {"parts": numbers, "archives": entries}
    for part in parts.iterdir():
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1))
    _copy_zstd(parts / "00")
    edges = [sum(numbers[: n + 1]) for n in range(len(numbers))]
    for entry in entries:
        end = entry["start"] + entry["bytes"]
        last = next(n for n, edge in enumerate(edges) if edge >= end)
        print(f"{entry['name']:18} {entry['bytes'] / 1e6:8.1f} MB, whole with part {last:02}")
    print(f"{len(numbers)} parts, {start / 1e6:.1f} MB")


def _write(archives: list[Path], parts: Path) -> list[int]:
    """Write the stream's pieces and return their sizes."""
    sizes: list[int] = []
    room = 0
    target = None
    for path in archives:
        with path.open("rb") as source:
            while True:
                if not room:
                    room = PART_BYTES - (_TOOLS_BYTES if not sizes else 0)
                    part = parts / f"{len(sizes):02}"
                    part.mkdir(parents=True)
                    target = (part / "piece").open("wb")
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


def _copy_zstd(part: Path) -> None:
    program = shutil.which("zstd")
    if program is None:
        raise SystemExit("zstd is not installed here")
    tools = part / "zstd"
    tools.mkdir()
    shutil.copy(program, tools / "zstd")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        library = line.partition("=>")[2].split()
        if library and not library[0].rpartition("/")[2].startswith(("libc.", "libm.")):
            shutil.copy(library[0], tools)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
