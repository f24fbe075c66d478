"""Text as it may reach a screen: no control characters, whatever a model or a file says."""

import json
import os
import shlex
from typing import Any

# C0 and C1 without newline and tab: a model that writes an escape sequence must not move the cursor.
# Neither may one that turns the direction of everything behind it (the marks that Arabic and Hebrew need stay).
CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
del CONTROL[ord("\n")], CONTROL[ord("\t")]


def clean(text: str) -> str:
    return text.translate(CONTROL)


def to_json(value: Any) -> str:
    """JSON on one line, in which control characters that JSON itself would let pass are escapes. Raises ValueError for NaN."""
    escapes = {
        char: f"\\u{char:04x}" for char in CONTROL if char >= 0x7F
    }  # JSON escapes C0; all of ours stand within texts
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(escapes)


def words_of(command: str) -> list[str]:
    """A command line as a shell would split it; on Windows backslashes are part of paths. Raises ValueError for an open quote."""
    if os.name == "nt":
        return [word.strip("\"'") for word in shlex.split(command, posix=False)]
    return shlex.split(command)


def gigabytes(size: int) -> str:
    if size >= 1e8:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"


def one_line(text: str, limit: int = 200) -> str:
    """Cleaned, on one line, cut with an ellipsis: for messages that quote files and models."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
