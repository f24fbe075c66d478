"""Where a variant must not go on: stop strings, loops, and words that a base model leaks from its training pages."""

import re

LOOP = 60  # bytes that must repeat before a text counts as a loop
LONGEST_UNIT = 200

# A base model that was asked "Instruction: …" likes to write the next exercise of the page.
SURE = r"instructions?|responses?|assistant"
PERHAPS = r"input|output|question|answer|user|human|system|prompt|example|note"
LEAK = re.compile(
    rf"^[\s#*_>-]*(?:{SURE})\s*:?$"  # a line that begins with one
    rf"|^[\s#*_>-]*(?:{PERHAPS})\s*\d*\s*:$"  # or with an everyday word and a colon
    rf"|\b(?:{SURE})\s*:$"  # or one with a colon, anywhere
    r"|<\|$|<\|\w|</s>|<(?:start|end)_of|\[/?INST",  # or another model's turn marks, spelled out
    re.IGNORECASE,
)


def leaks(text: bytes | bytearray, piece: bytes) -> bool:
    """Would base, adding `piece`, begin to write the frame of a training page instead of the text?"""
    line = text[text.rfind(b"\n") + 1 :] + piece
    last = line if b"\n" not in piece else line[line.rfind(b"\n") + 1 :]
    return bool(last) and LEAK.search(last[-80:].decode("utf-8", "replace")) is not None


def stop_at(text: bytes | bytearray, stops: tuple[bytes, ...], new: int) -> int | None:
    """Where the earliest stop string begins that ends within the last `new` bytes."""
    found = [at for stop in stops if (at := text.find(stop, max(0, len(text) - new - len(stop) + 1))) >= 0]
    return min(found, default=None)


def loops_from(text: bytes | bytearray) -> int | None:
    """Where to cut a text whose end repeats one span at least three times over LOOP bytes: after
    the span's first appearance. None for a text that doesn't loop."""
    for unit in range(1, min(LONGEST_UNIT, len(text) // 3) + 1):
        length = max(LOOP, 3 * unit)
        if len(text) < length or text[-1] != text[-1 - unit]:
            continue
        if text[-length + unit :] == text[-length:-unit]:
            start = len(text) - length
            while start > 0 and text[start - 1] == text[start - 1 + unit]:
                start -= 1
            return start + unit
    return None
