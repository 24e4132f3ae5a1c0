"""The working memory of a model: one KV cache for all sequences, one batch, one thread.

The cache is unified: sequences that begin alike share cells, so that copying a prefix from one
to another moves no bytes.
"""

from __future__ import annotations

import ctypes
from enum import Enum, auto

import llama_cpp as native

from backend.domain.errors import UnusableModel
from backend.runner.model import Model
from backend.runner.sampling import Sampling

TOP_K = 40
MIN_P = 0.05


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


class Context:
    """One llama.cpp context. All methods but the abort flag's belong to one thread."""

    def __init__(
        self, model: Model, *, sequences: int, cells: int, batch: int, threads: int
    ) -> None:
        self.abort = AbortFlag()
        self.threads = threads
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
        self._room = batch
        self._count = 0
        for place in range(batch):
            self._batch.n_seq_id[place] = 1

    @property
    def room(self) -> int:
        """How many more tokens the batch takes."""
        return self._room - self._count

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
