"""Code that README.md and docs/ name by its path is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
PATH = re.compile(r"`([\w.-]+/[\w./-]+\.(?:py|toml|json|j2))")
BELOW = (ROOT, ROOT / "src", ROOT / "src/inferometer")


def is_placeholder(path):
    return re.search(r"[A-Z]{3}", path) is not None  # backends/NAME.py


def test_what_is_named_exists():
    named = {
        (page, path)
        for page in PAGES
        for path in PATH.findall(page.read_text(encoding="utf-8"))
        if not is_placeholder(path)
    }
    missing = {
        (page.name, path)
        for page, path in named
        if not any((folder / path).exists() for folder in (*BELOW, page.parent))
    }
    assert len(named) > 50 and missing == set()
