"""Tokenizers of each kind: llama.cpp makes the token ids that transformers makes."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import pytest
from transformers import AutoTokenizer

from backend.domain.errors import UnusableModel
from tests.trainer.tiny_models import ROWS, TOKENS, tokenizer_with_split, write_sentence_pieces
from trainer.gguf.parity import QUESTIONS
from trainer.gguf.quantise import quiet
from trainer.gguf.vocabulary import SPLITS, add_vocabulary, split_name

SIGNS = "aіїєґҐЖ щ'’\"–—…€🙂\n\t  .,!?{}<>|/0123456789ßéЇ"  # noqa: RUF001


def texts() -> list[str]:
    chance = random.Random(1)
    return [*QUESTIONS, *("".join(chance.choices(SIGNS, k=60)) for _ in range(200))]


@contextmanager
def vocabulary(folder: Path, out: Path) -> Iterator[Any]:
    """The tokenizer of a folder, in llama.cpp, with nothing else of a model."""
    writer = gguf.GGUFWriter(out, "llama")
    for key in ("context_length", "embedding_length", "feed_forward_length", "block_count"):
        writer.add_uint32(f"llama.{key}", 64)
    writer.add_uint32("llama.attention.head_count", 1)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    add_vocabulary(writer, folder, rows=ROWS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    quiet()
    with closing(llama_cpp.Llama(str(out), vocab_only=True, verbose=False)) as loaded:
        yield loaded


@pytest.mark.parametrize("name", SPLITS.values())
def test_byte_level_tokenizers_split_alike(tmp_path: Path, name: str) -> None:
    tokenizer = tokenizer_with_split(name)
    tokenizer.save_pretrained(tmp_path)

    with vocabulary(tmp_path, tmp_path / "v.gguf") as loaded:
        assert loaded.metadata["tokenizer.ggml.pre"] == name
        for text in texts():
            expected = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert loaded.tokenize(text.encode(), add_bos=False, special=True) == expected
        assert loaded.n_vocab() == ROWS > TOKENS


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("lost", [False, True], ids=["with tokenizer.model", "lost"])
def test_sentence_pieces_split_alike_with_their_file_and_without(
    tmp_path: Path, legacy: bool, lost: bool
) -> None:
    folder = write_sentence_pieces(tmp_path / "saved", legacy=legacy)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    if lost:
        shutil.copytree(folder, tmp_path / "lost")
        tokenizer.save_pretrained(tmp_path / "lost")
        (tmp_path / "lost" / "tokenizer.model").unlink()
        folder = tmp_path / "lost"
        tokenizer = AutoTokenizer.from_pretrained(folder)

    with vocabulary(folder, tmp_path / "v.gguf") as loaded:
        for text in texts():
            chat = tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False
            )
            expected = tokenizer(chat, add_special_tokens=False)["input_ids"]
            assert loaded.tokenize(chat.encode(), add_bos=False, special=True) == expected


@pytest.mark.parametrize("legacy", [True, False])
def test_without_a_chat_template_plain_texts_split_alike(tmp_path: Path, legacy: bool) -> None:
    folder = write_sentence_pieces(tmp_path, legacy=legacy)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = AutoTokenizer.from_pretrained(folder)

    with vocabulary(folder, tmp_path / "v.gguf") as loaded:
        for text in (text for text in texts() if not text.startswith(" ")):
            assert loaded.tokenize(text.encode(), add_bos=True) == tokenizer(text)["input_ids"]


def test_sentence_pieces_are_those_of_sentencepiece_itself(tmp_path: Path) -> None:
    """Where the file orders pieces as sentencepiece does, all three agree."""
    from sentencepiece import SentencePieceProcessor  # type: ignore[import-untyped,unused-ignore]

    folder = write_sentence_pieces(tmp_path, legacy=True)
    original = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))

    with vocabulary(folder, tmp_path / "v.gguf") as loaded:
        for text in QUESTIONS:
            if "  " not in text:
                ids = loaded.tokenize(text.encode(), add_bos=False, special=False)
                assert ids == original.encode(text)


def test_flags_special_tokens_and_template_come_along(tmp_path: Path) -> None:
    folder = write_sentence_pieces(tmp_path, legacy=True)

    with vocabulary(folder, tmp_path / "v.gguf") as loaded:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert (loaded.token_bos(), loaded.token_eos()) == (1, 2)
        assert loaded.metadata["tokenizer.ggml.add_bos_token"] == "true"
        assert loaded.metadata["tokenizer.ggml.add_eos_token"] == "false"
        assert loaded.metadata["tokenizer.chat_template"] == tokenizer.chat_template
        assert loaded.tokenize(b"a") == tokenizer("a")["input_ids"]


def test_an_unknown_split_is_refused() -> None:
    parts = {
        "model": {"type": "BPE"},
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True},
    }

    with pytest.raises(UnusableModel, match="no name here"):
        split_name(parts)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_object=words, unk_token="?").save_pretrained(tmp_path)

    with pytest.raises(UnusableModel, match="but WordLevel"):
        add_vocabulary(gguf.GGUFWriter(tmp_path / "v.gguf", "llama"), tmp_path, rows=2)
