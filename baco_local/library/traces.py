"""Traces, small: columns of numbers and the pieces of text, compressed. About 14 bytes for a token."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from baco_local.collaboration.variant import SPEAKERS, Token

FORMAT = 1
LARGEST = 64 << 20  # bytes of an unpacked trace
HEAD = struct.Struct("<BI")  # format, tokens


def packed(tokens: Sequence[Token]) -> bytes:
    count = len(tokens)
    pieces = [token.piece.encode() for token in tokens]
    routed = np.array([token.routed for token in tokens], np.uint8)
    speaker = np.array([SPEAKERS.index(token.speaker) for token in tokens], np.uint8)
    rules = np.array([token.rules for token in tokens], np.uint8)
    columns = [
        np.array([len(piece) for piece in pieces], "<u4"),
        np.array([token.id for token in tokens], "<i4"),
        speaker + 2 * routed + 4 * rules,
        np.array([token.p for token in tokens], "<f4"),
        np.array([number(token.base_top_p) for token in tokens], "<f4"),
        np.array([number(token.base_entropy) for token in tokens], "<f4"),
    ]
    return HEAD.pack(FORMAT, count) + zlib.compress(b"".join([*(column.tobytes() for column in columns), *pieces]), 6)


def unpacked(data: bytes, most: int = 1 << 24) -> tuple[Token, ...]:
    """Raises ValueError for what is no trace, or one of more than `most` tokens."""
    try:
        form, count = HEAD.unpack_from(data)
        if form != FORMAT:
            raise ValueError(f"a trace of format {form}")
        if count > most:
            raise ValueError(f"a trace of {count} tokens")
        unpacking = zlib.decompressobj()
        content, at = unpacking.decompress(data[HEAD.size :], LARGEST), 0
        if not unpacking.eof:
            raise ValueError("is cut short, or far too long")
        columns = []
        for kind in ("<u4", "<i4", "<u1", "<f4", "<f4", "<f4"):
            columns.append(np.frombuffer(content, kind, count, at).tolist())
            at += count * np.dtype(kind).itemsize
        tokens = []
        for size, id_, flags, p, top, entropy in zip(*columns, strict=True):
            piece = content[at : at + size].decode()
            at += size
            tokens.append(
                Token(piece, id_, SPEAKERS[flags & 1], bool(flags & 2), p, known(top), known(entropy), flags >> 2)
            )
        return tuple(tokens)
    except (struct.error, zlib.error) as error:
        raise ValueError(str(error)) from None


def number(value: float | None) -> float:
    return float("nan") if value is None else value


def known(value: float) -> float | None:
    return None if value != value else value
