"""Writes a one-layer, byte-level llama with random weights: a real model for real tests.

115 kB or so, a few milliseconds to write and to load, always the same for the same arguments.
It babbles in the bytes of `alphabet`; all other tokens, the end of a turn too, get a logit of 0
and so are never the most likely ones.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTROL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
TOKENS = (*CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), "▁")
END_OF_TURN = CONTROL.index("<|im_end|>")
LETTERS = "abcdefghijklmnopqrstuvwxyz .,"
WIDTH, HEADS, HIDDEN = 32, 2, 64


def write_tiny_gguf(
    path: Path,
    *,
    template: str | None = CHATML,
    context: int = 512,
    seed: int = 7,
    alphabet: str = LETTERS,
    ends: bool = False,
) -> Path:
    """Write the model to `path` and return the path; with `ends`, it may end its turn by itself."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_settings(writer, context)
    if template is not None:
        writer.add_chat_template(template)
    _write_vocabulary(writer)
    _write_weights(writer, np.random.default_rng(seed), _spoken(alphabet, ends=ends))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_settings(writer: gguf.GGUFWriter, context: int) -> None:
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))


def _write_vocabulary(writer: gguf.GGUFWriter) -> None:
    kinds = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * (len(CONTROL) - 1)
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(TOKENS))
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(CONTROL.index("<s>"))
    writer.add_eos_token_id(END_OF_TURN)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _spoken(alphabet: str, *, ends: bool) -> list[int]:
    """The tokens that can be the most likely ones."""
    tokens = {len(CONTROL) + byte for byte in alphabet.encode() if byte != ord(" ")}
    if " " in alphabet:
        tokens.add(TOKENS.index("▁"))
    return sorted(tokens | ({END_OF_TURN} if ends else set()))


def _write_weights(writer: gguf.GGUFWriter, random: np.random.Generator, spoken: list[int]) -> None:
    def matrix(*shape: int) -> np.ndarray:
        return random.normal(0, 0.4, shape).astype(np.float32)

    output = np.zeros((len(TOKENS), WIDTH), np.float32)
    output[spoken] = matrix(len(spoken), WIDTH) * 2
    writer.add_tensor("token_embd.weight", matrix(len(TOKENS), WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", matrix(WIDTH, WIDTH))
    for name, shape in (
        ("ffn_gate", (HIDDEN, WIDTH)),
        ("ffn_up", (HIDDEN, WIDTH)),
        ("ffn_down", (WIDTH, HIDDEN)),
    ):
        writer.add_tensor(f"blk.0.{name}.weight", matrix(*shape))
