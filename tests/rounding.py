"""Measures how far the accelerator's and llama.cpp's own products are from exact ones: `python tests/rounding.py`.

Both round activations to eight bits before they multiply. The exact distribution comes from
the same model with its weights written out in 32-bit floats (0.5 GB for the aligned model of the
starter pair, 1.1 GB for the base), where nothing is rounded. Printed is half the sum of the
absolute differences between next-token distributions, over 24 places. Nothing is asserted.
"""

import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

from baco_local.catalog.reading import read_catalog
from baco_local.native import products
from baco_local.runtime.context import Context
from baco_local.runtime.model import Model
from baco_local.runtime.spans import Span, Work

TEXT = b"You are a helpful assistant.\nInstruction: A title for a novel about tides\n"
PLACES = 24


def write_exact(source: Path, target: Path) -> None:
    """The same model with every weight as a 32-bit float."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], sub_type=sub_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def distributions(model: Model) -> np.ndarray:
    """(PLACES, n_vocab): next-token probabilities after PLACES different continuations of TEXT, in one batch."""
    prompt = model.vocabulary.tokenize(TEXT, add_special=True)
    context = Context(model, PLACES, 1024, None, Work())
    context.evaluate([Span(0, 0, prompt, logits=False)])
    for sequence in range(1, PLACES):
        context.copy(0, sequence)
    rows = context.evaluate([Span(s, len(prompt), [1000 + 37 * s, 2000 + 11 * s]) for s in range(PLACES)])
    e = np.exp(rows - rows.max(axis=1, keepdims=True), dtype=np.float64)
    context.close()
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def main() -> None:
    for side, file in read_catalog().pair(sys.argv[1] if len(sys.argv) > 1 else "starter").files.items():
        with tempfile.TemporaryDirectory() as folder:
            exact_file = Path(folder) / "exact.gguf"
            write_exact(file.path, exact_file)
            with Model(exact_file) as model, products.disabled():
                exact = distributions(model)
        with Model(file.path) as model:
            ours = distributions(model)
            with products.disabled():
                theirs = distributions(model)
        for name, one, two in [
            ("accelerator and exact", ours, exact),
            ("llama.cpp and exact", theirs, exact),
            ("accelerator and llama.cpp", ours, theirs),
        ]:
            apart = 0.5 * np.abs(one - two).sum(axis=1)
            print(f"{side}, {name}: median {np.median(apart):.4f}, largest {apart.max():.4f}")


if __name__ == "__main__":
    main()
