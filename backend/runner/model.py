"""A loaded GGUF: its weights and its vocabulary, by llama.cpp's low-level API.

Together with `context` the only place that calls llama.cpp. Nothing here is logged but llama.cpp's
own warnings, which never hold a prompt.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import llama_cpp as native

from backend.domain.errors import UnusableModel

HARMLESS = (
    "possible training context overflow",  # said of all slots together; each is bounded
    *("graph_compute:", "process_ubatch:", "decode: removing", "ret = 2"),  # we aborted a pass
)
WARNING = 3  # ggml log levels: 1 debug, 2 info, 3 warning, 4 error
SPECIAL = native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN
PIECE_BYTES = 256

T = TypeVar("T")


def route_native_log(write: Callable[[str], None]) -> None:
    """Send llama.cpp's warnings and errors to `write`, one line each, and drop all the rest."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")

    def receive(level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", errors="replace").strip()
        if (
            level in (WARNING, WARNING + 1)
            and line
            and not any(harmless in line for harmless in HARMLESS)
        ):
            write(line[:500])

    callback = native.llama_log_callback(receive)
    _KEPT_ALIVE[:] = [callback]
    native.llama_log_set(callback, ctypes.c_void_p(0))


_KEPT_ALIVE: list[object] = []  # llama.cpp holds the callback's bare address for ever


class Model:
    """Weights and vocabulary of one GGUF. Its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        native.llama_backend_init()
        parameters = native.llama_model_default_params()
        parameters.load_mode = native.LLAMA_LOAD_MODE_MMAP
        pointer = native.llama_model_load_from_file(os.fsencode(path), parameters)
        if not pointer:
            raise UnusableModel(
                f"llama.cpp cannot load {path.name}: its architecture may be too new, or tensors "
                "are missing. The lines above say more; export the model again."
            )
        self.pointer = pointer
        self._vocabulary = _present(native.llama_model_get_vocab(pointer))
        if native.llama_model_has_encoder(pointer) or not native.llama_model_has_decoder(pointer):
            raise UnusableModel(f"{path.name} is no model that writes text from left to right.")
        self.trained_context = native.llama_model_n_ctx_train(pointer)
        self.vocabulary_size = native.llama_vocab_n_tokens(self._vocabulary)
        self.shares_prefixes = not (
            native.llama_model_is_recurrent(pointer) or native.llama_model_is_hybrid(pointer)
        )
        self.begins_with_space = (
            native.llama_vocab_type(self._vocabulary) == native.LLAMA_VOCAB_TYPE_SPM
        )
        self.end_tokens = frozenset(
            token
            for token in range(self.vocabulary_size)
            if native.llama_vocab_is_eog(self._vocabulary, token)
        )
        self._pieces: dict[int, bytes] = {}
        self._buffer = ctypes.create_string_buffer(PIECE_BYTES)

    def tokenise(
        self, text: str, *, with_special_tokens: bool = False, begin: bool = False
    ) -> list[int]:
        """The tokens of a text.

        `with_special_tokens` reads control tokens out of the text, as a template writes them;
        `begin` puts the token in front that the vocabulary wants at the beginning, if any.
        """
        raw = text.encode("utf-8", errors="replace")
        room = len(raw) + 8
        tokens = (native.llama_token * room)()
        count = native.llama_tokenize(
            self._vocabulary, raw, len(raw), tokens, room, begin, with_special_tokens
        )
        if count < 0:
            raise UnusableModel("The vocabulary makes more tokens of a text than it has bytes.")
        return tokens[:count]

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; none for a control token. Only for the engine's thread."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._text(token, special=False)
        return known

    def special_texts(self) -> list[str]:
        """The texts that the tokeniser would read as control tokens."""
        return [text for text in self._special_texts() if text]

    def begin_text(self) -> str:
        """The token before every text, as templates write it; empty if there is none."""
        return self._written(native.llama_vocab_bos(self._vocabulary))

    def end_text(self) -> str:
        """The token after every text, as templates write it; empty if there is none."""
        return self._written(native.llama_vocab_eos(self._vocabulary))

    def close(self) -> None:
        """Free the weights. No context may be in use any more."""
        native.llama_model_free(self.pointer)

    def _special_texts(self) -> Iterator[str]:
        for token in range(self.vocabulary_size):
            attributes = native.llama_vocab_get_attr(self._vocabulary, token)
            if attributes & SPECIAL or token in self.end_tokens:
                yield self._written(token)

    def _written(self, token: int) -> str:
        return self._text(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    def _text(self, token: int, *, special: bool) -> bytes:
        buffer = self._buffer
        length = native.llama_token_to_piece(
            self._vocabulary, token, buffer, len(buffer), 0, special
        )
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = native.llama_token_to_piece(
                self._vocabulary, token, buffer, -length, 0, special
            )
        return buffer.raw[:length]


def _present(pointer: T | None) -> T:
    if pointer is None:
        raise UnusableModel("llama.cpp has no vocabulary for this model.")
    return pointer
