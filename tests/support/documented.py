"""The Python examples that a document shows."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def examples(name):
    """Return the code of each Python example of docs/NAME."""
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
