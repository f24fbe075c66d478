"""What a GGUF file is, as its header says: a model or an adapter, how large, how exact, whose vocabulary."""

import functools
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from baco_local.catalog.entries import Shape
from baco_local.catalog.gguf import Header, Tensor, read_header
from baco_local.catalog.quantisation import FILE_TYPES
from baco_local.errors import ModelProblem

TOKENS, MERGES = "tokenizer.ggml.tokens", "tokenizer.ggml.merges"
# llama.cpp keeps a second copy of such matrices, in the order in which x86 multiplies them fastest, and Arm some
# more (ggml-cpu/repack.cpp; a matrix that is also looked up token by token stays as it is).
REORDERED = {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"}


@dataclass(frozen=True, slots=True)
class Facts:
    """kind: `model` or `adapter`. sizes in bytes, n_ctx_train in tokens, parameters as a count.

    shape: None where the header doesn't say. reordered: bytes of which llama.cpp keeps a second
    copy on x86. entries: tokens and merges of the vocabulary. parts: files that it is made of.
    """

    path: Path
    kind: str
    architecture: str
    name: str
    licence: str
    quantisation: str
    size: int
    parameters: int
    n_ctx_train: int
    n_vocab: int
    tokenizer: str
    has_template: bool
    shape: Shape | None
    reordered: int
    entries: int
    parts: int


def facts_of(path: Path) -> Facts:
    """Raises ModelProblem for a file whose header can't be read. Takes some hundredths of a second."""
    return facts_in(header_of(path))


def header_of(path: Path) -> Header:
    """Read once as long as the file stays as it is."""
    try:
        found = path.stat()
    except OSError:
        return read_header(path)  # says what is wrong
    return _header(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _header(path: Path, size: int, mtime: int) -> Header:
    return read_header(path)


def facts_in(header: Header) -> Facts:
    architecture = header.text("general.architecture")
    if not architecture:
        raise ModelProblem(f"{header.path}: does not say what architecture it has, so it is no language model")
    adapter = header.text("general.type") == "adapter"
    tokens, merges = (header.arrays[key].count if key in header.arrays else 0 for key in (TOKENS, MERGES))
    n_vocab = tokens or header.number(f"{architecture}.vocab_size")
    return Facts(
        path=header.path,
        kind="adapter" if adapter else "model",
        architecture=architecture,
        name=header.text("general.name") or header.path.stem,
        licence=header.text("general.license") or "not stated",
        quantisation=quantisation(header),
        size=header.size,
        parameters=sum(math.prod(tensor.shape) for tensor in header.tensors),
        n_ctx_train=header.number(f"{architecture}.context_length"),
        n_vocab=n_vocab,
        tokenizer=" ".join(filter(None, [header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre")])),
        has_template=isinstance(header.values.get("tokenizer.chat_template"), str),
        shape=None if adapter else shape_in(header, architecture, n_vocab),
        reordered=sum(tensor.size or 0 for tensor in header.tensors if is_reordered(tensor)),
        entries=tokens + merges,
        parts=header.number("split.count", 1) or 1,
    )


def quantisation(header: Header) -> str:
    """By the name of the whole, else by the format that most of its bytes have."""
    named = FILE_TYPES.get(header.number("general.file_type", -1))
    if named:
        return named
    bytes_of = Counter[str]()
    for tensor in header.tensors:
        bytes_of[tensor.type] += tensor.size or 1
    return bytes_of.most_common(1)[0][0] if bytes_of else "unknown"


def is_reordered(tensor: Tensor) -> bool:
    looked_up = tensor.name.startswith("token_embd")
    return tensor.type in REORDERED and len(tensor.shape) >= 2 and tensor.shape[1] % 8 == 0 and not looked_up


def shape_in(header: Header, architecture: str, n_vocab: int) -> Shape | None:
    def per_layer(key: str, default: int) -> list[int]:
        found = header.values.get(f"{architecture}.{key}", default)
        listed = list(found) if isinstance(found, tuple) else [found] * layers
        return [int(item) for item in listed if isinstance(item, int) and item >= 0]

    layers, embedding = (header.number(f"{architecture}.{key}") for key in ("block_count", "embedding_length"))
    if not 0 < layers <= 1 << 12 or not 0 < embedding <= 1 << 24:
        return None
    heads = per_layer("attention.head_count", 0)
    own = embedding // max([1, *heads])  # width of one head, where it isn't given
    keys, values = (header.number(f"{architecture}.attention.{key}_length", own) for key in ("key", "value"))
    groups = header.values.get(f"{architecture}.attention.head_count_kv")
    kv = sum(per_layer("attention.head_count_kv", 0) if groups is not None else heads) * (keys + values)
    return Shape(
        layers=layers,
        embedding=embedding,
        kv=kv,
        feed_forward=max([0, *per_layer("feed_forward_length", 0)]),
        vocabulary=n_vocab,
        head=keys if keys == values else math.gcd(keys, values),
        state=state_in(header, architecture, layers, embedding, per_layer("attention.head_count_kv", 0)),
    )


def state_in(header: Header, architecture: str, layers: int, embedding: int, groups: list[int]) -> int:
    """Bytes that recurrent layers keep for one sequence, in 32-bit numbers (llama-hparams.cpp); 0 without such."""

    def of(key: str) -> int:
        return header.number(f"{architecture}.{key}")

    recurrent = sum(1 for heads in groups if heads == 0) or layers
    if inner := of("ssm.inner_size"):
        state = of("ssm.state_size")
        kept = max(0, of("ssm.conv_kernel") - 1) * (inner + 2 * of("ssm.group_count") * state) + inner * state
    elif head := of("wkv.head_size"):
        kept = embedding * (2 + head)
    elif cached := of("shortconv.l_cache"):
        kept = embedding * (cached - 1)
    else:
        return 0
    return 4 * recurrent * kept
