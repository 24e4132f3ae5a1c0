"""Makes a GGUF in the shape of a 1.1B Llama with random weights, so that no download is needed.

Its rows for control tokens are zero: at temperature 0 it never ends a reply by itself, so every
server writes exactly as many tokens as it is asked for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import llama_cpp as native
import numpy as np

CHUNK = 1 << 22
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
FIRST_PLAIN = 3 + 256
SYLLABLES = [a + b for a in "bcdfghjklmnpqrstvwz" for b in "aeiou"]


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a Llama."""

    layers: int = 22
    width: int = 2048
    hidden: int = 5632
    heads: int = 32
    shared_heads: int = 4
    vocabulary: int = 32_000
    context: int = 4096


SHAPES = {
    "1b": ModelShape(),
    "small": ModelShape(layers=4, width=512, hidden=1536, heads=8, shared_heads=2),
}


def make_model(path: Path, shape: ModelShape) -> None:
    """Write the model as Q4_K_M; a file of 16-bit weights lies beside it meanwhile."""
    wide = path.with_suffix(".f16.gguf")
    try:
        _write(wide, shape)
        parameters = native.llama_model_quantize_default_params()
        parameters.ftype = native.LLAMA_FTYPE_MOSTLY_Q4_K_M
        code = native.llama_model_quantize(
            str(wide).encode(), str(path).encode(), ctypes.byref(parameters)
        )
        if code:
            raise SystemExit(f"llama.cpp could not quantise {wide}: code {code}.")
    finally:
        wide.unlink(missing_ok=True)


def _write(path: Path, shape: ModelShape) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    _write_settings(writer, shape)
    _write_vocabulary(writer, shape.vocabulary)
    tensors = list(_tensors(shape))
    for name, size in tensors:
        kind = np.dtype(np.float32 if len(size) == 1 else np.float16)
        writer.add_tensor_info(name, size, kind, int(np.prod(size)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    pool = np.random.default_rng(7).normal(0, 0.02, CHUNK).astype(np.float16)
    for number, (name, size) in enumerate(tensors):
        writer.write_tensor_data(_weights(name, size, np.roll(pool, 7919 * number)))
    writer.close()


def _weights(name: str, size: tuple[int, ...], pool: np.ndarray) -> np.ndarray:
    if len(size) == 1:
        return np.ones(size, np.float32)
    weights = np.resize(pool, size)
    if name == "output.weight":
        weights[:FIRST_PLAIN] = 0
    return weights


def _tensors(shape: ModelShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, hidden = shape.width, shape.hidden
    shared = width // shape.heads * shape.shared_heads
    yield "token_embd.weight", (shape.vocabulary, width)
    yield "output_norm.weight", (width,)
    yield "output.weight", (shape.vocabulary, width)
    for layer in range(shape.layers):
        for name, size in (
            ("attn_norm", (width,)),
            ("attn_q", (width, width)),
            ("attn_k", (shared, width)),
            ("attn_v", (shared, width)),
            ("attn_output", (width, width)),
            ("ffn_norm", (width,)),
            ("ffn_gate", (hidden, width)),
            ("ffn_up", (hidden, width)),
            ("ffn_down", (width, hidden)),
        ):
            yield f"blk.{layer}.{name}.weight", size


def _write_settings(writer: gguf.GGUFWriter, shape: ModelShape) -> None:
    writer.add_name("random")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.shared_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_chat_template(TEMPLATE)


def _write_vocabulary(writer: gguf.GGUFWriter, count: int) -> None:
    """Bytes, then words of syllables, each of which SentencePiece can build from its parts."""
    words = _words(count - FIRST_PLAIN)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(words)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * FIRST_PLAIN + [float(-n) for n in range(len(words))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)


def _words(count: int) -> list[str]:
    letters = [chr(code) for code in range(33, 127)]
    words = ["▁", *letters, *SYLLABLES, *(f"▁{s}" for s in SYLLABLES)]
    words += [a + b for a in SYLLABLES for b in SYLLABLES]
    words += [f"▁{a}{b}" for a in SYLLABLES for b in SYLLABLES]
    words += [f"▁{a}{b}{c}" for a in SYLLABLES[:20] for b in SYLLABLES[:25] for c in SYLLABLES]
    return words[:count]
