"""GGUF files whose next-token distribution is known in closed form, for holding the engine to exact numbers.

A llama whose attention and feed-forward weights are zero passes the one-hot embedding of
the newest token through: RMS norm makes it sqrt(d) * e_i, so output rows of
log P(j | i) / sqrt(d) give exactly the logits log P(j | i). A bigram model, in milliseconds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

UNK, BOS, EOS = "<unk>", "<s>", "</s>"
SPECIAL = [UNK, BOS, EOS]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEMPLATE = "{{ messages[-1]['content'] + '\\n' }}"
START = "<0x0A>"  # both prompts end in a newline, so every variant starts from its row
NEVER = -60.0  # log-probability of what must not happen

Bigram = Mapping[str, Mapping[str, float]]


def vocabulary(content: Sequence[str]) -> list[str]:
    """SentencePiece tokens: specials, all bytes, then `content` (a space is written as U+2581)."""
    return [*SPECIAL, *BYTES, *[piece.replace(" ", "\u2581") for piece in content]]


def piece_of(token: str) -> str:
    """The text of one of our tokens."""
    return "\n" if token == START else token.replace("\u2581", " ")


def write_model(
    path: Path,
    content: Sequence[str],
    bigram: Bigram,
    *,
    template: str | None = TEMPLATE,
    bytes_too: bool = True,
    context: int = 4096,
    adds_eos: bool = False,
    names: Mapping[str, str] | None = None,
) -> Path:
    """bigram[i][j]: probability of piece j after piece i; '' stands for the end, "\\n" for the start.

    Rows not given are uniform over the content. names: what else the file says of itself, by key.
    """
    tokens = vocabulary(content) if bytes_too else [*SPECIAL, *content]
    ids = {piece_of(token): index for index, token in enumerate(tokens)}
    ids[""] = tokens.index(EOS)
    width = -(-len(tokens) // 32) * 32
    logits = np.full((len(tokens), len(tokens)), NEVER, np.float32)  # [next, last]
    for last in range(len(tokens)):
        row = bigram.get(piece_of(tokens[last]), {piece: 1 / len(content) for piece in content})
        for piece, probability in row.items():
            if probability > 0:
                logits[ids[piece], last] = np.log(probability)
    output = np.zeros((len(tokens), width), np.float32)
    output[:, : len(tokens)] = logits / np.sqrt(width)

    writer = gguf.GGUFWriter(str(path), "llama")
    for key, name in ({"name": "oracle"} | dict(names or {})).items():
        writer.add_string(f"general.{key}", name)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(width // 32)
    writer.add_head_count_kv(width // 32)
    writer.add_rope_dimension_count(32)
    writer.add_layer_norm_rms_eps(1e-12)
    write_vocabulary(writer, tokens, template, adds_eos)
    zeros = {
        "attn_q": (width, width),
        "attn_k": (width, width),
        "attn_v": (width, width),
        "attn_output": (width, width),
        "ffn_gate": (32, width),
        "ffn_up": (32, width),
        "ffn_down": (width, 32),
    }
    writer.add_tensor("token_embd.weight", np.eye(len(tokens), width, dtype=np.float32))
    for name, shape in zeros.items():
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.add_tensor("output.weight", output)
    finish(writer)
    return path


def write_vocabulary(
    writer: gguf.GGUFWriter, tokens: Sequence[str], template: str | None, adds_eos: bool = False
) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    kinds = {UNK: gguf.TokenType.UNKNOWN, BOS: gguf.TokenType.CONTROL, EOS: gguf.TokenType.CONTROL}
    kinds |= dict.fromkeys(BYTES, gguf.TokenType.BYTE)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(adds_eos)
    writer.add_add_space_prefix(False)
    if template:
        writer.add_chat_template(template)


def write_mamba(path: Path, content: Sequence[str], seed: int) -> Path:
    """A small recurrent model of random weights: it remembers, and can't take a token back."""
    tokens = vocabulary(content)
    rng = np.random.default_rng(seed)
    width, inner, state, rank, layers = 32, 64, 16, 2, 2
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_name("mamba")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(layers)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    write_vocabulary(writer, tokens, TEMPLATE)
    shapes = {
        "ssm_in.weight": (2 * inner, width),
        "ssm_conv1d.weight": (inner, 4),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (rank + 2 * state, inner),
        "ssm_dt.weight": (inner, rank),
        "ssm_dt.bias": (inner,),
        "ssm_d": (inner,),
        "ssm_out.weight": (width, inner),
    }
    writer.add_tensor("token_embd.weight", rng.normal(size=(len(tokens), width)).astype(np.float32))
    for layer in range(layers):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(width, np.float32))
        writer.add_tensor(f"blk.{layer}.ssm_a", -rng.uniform(0.1, 1, (inner, state)).astype(np.float32))
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}", rng.normal(0, 0.5, shape).astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    output = rng.normal(0, 0.4, (len(tokens), width)).astype(np.float32)
    output[: len(SPECIAL) + len(BYTES)] = 0  # written rarely
    writer.add_tensor("output.weight", output)
    finish(writer)
    return path


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_lora(path: Path, matrices: Mapping[str, tuple[np.ndarray, np.ndarray]], architecture: str = "llama") -> Path:
    """An adapter that adds b @ a to a model's matrices: by name a (rank, in) and b (out, rank)."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(next(iter(matrices.values()))[0].shape[0]))  # a scale of 1
    for name, (a, b) in matrices.items():
        writer.add_tensor(f"{name}.weight.lora_a", np.ascontiguousarray(a, np.float32))
        writer.add_tensor(f"{name}.weight.lora_b", np.ascontiguousarray(b, np.float32))
    finish(writer)
    return path


def write_random_lora(path: Path, model: Path, rank: int = 4, seed: int = 0, strength: float = 0.05) -> Path:
    """An adapter of small random numbers over the attention matrices of a model's file."""
    reader = gguf.GGUFReader(model)
    rng = np.random.default_rng(seed)
    matrices = {}
    for tensor in reader.tensors:
        if tensor.name.endswith(("attn_q.weight", "attn_v.weight")):
            width, height = map(int, tensor.shape)
            a, b = (rng.normal(0, strength, shape) for shape in ((rank, width), (height, rank)))
            matrices[tensor.name.removesuffix(".weight")] = (a, b)
    return write_lora(path, matrices, reader.get_field("general.architecture").contents())
