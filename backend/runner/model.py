"""One loaded GGUF and its working memory, by llama.cpp's low-level API.

The only file that calls llama.cpp. Nothing here is logged but llama.cpp's own warnings, which
never hold a prompt.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import TypeVar

import llama_cpp as native

from backend.domain.errors import UnusableModel
from backend.runner.openai_api import Sampling

HARMLESS = (
    "possible training context overflow",  # said of all slots together; each is bounded
    *("graph_compute:", "process_ubatch:", "decode: removing", "ret = 2"),  # we aborted a pass
)
WARNING = 3  # ggml log levels: 1 debug, 2 info, 3 warning, 4 error
SPECIAL = native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN
PIECE_BYTES = 256
TOP_K = 40
MIN_P = 0.05
_KEPT_ALIVE: list[object] = []  # llama.cpp holds the callback's bare address for ever
T = TypeVar("T")


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
        most = len(raw) + 8
        tokens = (native.llama_token * most)()
        count = native.llama_tokenize(
            self._vocabulary, raw, len(raw), tokens, most, begin, with_special_tokens
        )
        if count < 0:
            raise UnusableModel("The vocabulary makes more tokens of a text than it has bytes.")
        return tokens[:count]

    def tokenise_prompt(self, pieces: Sequence[str]) -> list[int]:
        """The tokens of a rendered template; no control token spans a seam between pieces."""
        begin = self.begin_text()
        written = bool(begin) and pieces[0].startswith(begin)
        tokens = self.tokenise(pieces[0], with_special_tokens=True, begin=not written)
        for piece in pieces[1:]:
            tokens += self.tokenise(piece, with_special_tokens=True)
        return tokens

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; none for a control token. For the scheduler's thread."""
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


class Context:
    """One llama.cpp context. All methods but the abort flag's belong to one thread."""

    def __init__(
        self, model: Model, *, sequences: int, cells: int, batch: int, threads: int
    ) -> None:
        self.abort = AbortFlag()
        parameters = native.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = batch
        parameters.n_seq_max = sequences
        parameters.n_outputs_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        parameters.abort_callback = self.abort.callback
        parameters.abort_callback_data = self.abort.argument
        pointer = native.llama_init_from_model(model.pointer, parameters)
        memory = native.llama_get_memory(pointer) if pointer else None
        if not pointer or memory is None:
            raise UnusableModel(
                f"llama.cpp cannot make a context of {cells} tokens. Set a smaller --context or "
                "fewer --slots: there may be too little memory."
            )
        self._pointer, self._memory = pointer, memory
        self._batch = native.llama_batch_init(batch, 0, 1)
        self._places = batch
        self._count = 0
        for place in range(batch):
            self._batch.n_seq_id[place] = 1

    @property
    def free_places(self) -> int:
        """How many more tokens the batch takes."""
        return self._places - self._count

    def add(self, token: int, *, position: int, sequence: int) -> int:
        """Put a token into the batch; its place there."""
        place, batch = self._count, self._batch
        batch.token[place] = token
        batch.pos[place] = position
        batch.seq_id[place][0] = sequence
        batch.logits[place] = 0
        self._count = place + 1
        return place

    def want(self, place: int) -> None:
        """Ask for the logits after the token at this place, to sample from."""
        self._batch.logits[place] = 1

    def decode(self) -> Decoded:
        """Compute the batch and empty it. Only DONE leaves all its tokens in the cache."""
        self._batch.n_tokens, self._count = self._count, 0
        code = native.llama_decode(self._pointer, self._batch)
        if code == 0:
            return Decoded.DONE
        if code in (1, 2):
            return Decoded.NO_ROOM if code == 1 else Decoded.ABORTED
        return Decoded.FAILED

    def use_threads(self, count: int) -> None:
        """Compute with so many threads from the next pass on."""
        native.llama_set_n_threads(self._pointer, count, count)

    def sample(self, sampler: Sampler, place: int) -> int:
        """The next token after the one at this place of the batch last computed."""
        return int(native.llama_sampler_sample(sampler.pointer, self._pointer, place))

    def forget(self, sequence: int, *, keep: int = 0) -> bool:
        """Drop what a sequence holds behind its first `keep` tokens; False if that cannot be."""
        return bool(native.llama_memory_seq_rm(self._memory, sequence, keep, -1))

    def copy(self, source: int, target: int, *, count: int) -> None:
        """Let `target`, which must be empty, begin with the first `count` tokens of `source`."""
        native.llama_memory_seq_cp(self._memory, source, target, 0, count)

    def close(self) -> None:
        """Free the batch and the cache."""
        native.llama_batch_free(self._batch)
        native.llama_free(self._pointer)


class Decoded(Enum):
    """How one pass over a batch ended."""

    DONE = auto()
    NO_ROOM = auto()
    ABORTED = auto()
    FAILED = auto()


class AbortFlag:
    """Stops a running pass within milliseconds, from any thread.

    llama.cpp asks after every operation of the graph whether to go on, some 700 times a pass. A
    Python callback would take the interpreter's lock each time; `strlen` of a buffer that is
    empty or one letter long answers the same question (0 or 1) in nanoseconds.
    """

    def __init__(self) -> None:
        self._letter = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        self.callback = ctypes.cast(strlen, native.ggml_abort_callback)
        self.argument = ctypes.cast(self._letter, ctypes.c_void_p)

    def raise_(self) -> None:
        """Stop the pass that runs now or begins next."""
        self._letter[0] = b"\x01"

    def lower(self) -> None:
        """Let passes run again."""
        self._letter[0] = b"\x00"


class Sampler:
    """Chooses tokens for one reply. Must be closed."""

    def __init__(self, sampling: Sampling, *, seed: int, vocabulary_size: int) -> None:
        chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        self.pointer = chain
        if sampling.frequency_penalty or sampling.presence_penalty:
            penalties = native.llama_sampler_init_penalties(
                vocabulary_size,
                sampling.max_tokens,
                1.0,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            )
            native.llama_sampler_chain_add(chain, penalties)
        for sampler in _choice(sampling, seed):
            native.llama_sampler_chain_add(chain, sampler)

    def close(self) -> None:
        """Free the native chain."""
        native.llama_sampler_free(self.pointer)


def _choice(sampling: Sampling, seed: int) -> list[native.llama_sampler_p]:
    if sampling.temperature <= 0:
        return [native.llama_sampler_init_greedy()]
    return [
        native.llama_sampler_init_top_k(TOP_K),
        native.llama_sampler_init_top_p(sampling.top_p, 1),
        native.llama_sampler_init_min_p(MIN_P, 1),
        native.llama_sampler_init_temp(sampling.temperature),
        native.llama_sampler_init_dist(seed),
    ]


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
