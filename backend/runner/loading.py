"""From a file to a running engine, in the one thread that llama.cpp is used from.

What the machine offers, and the sizes that follow from it.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import BadInput, BadSettings, HashMismatch, NotAGguf
from backend.domain.prompt import Message
from backend.runner.batching import Engine, Shape
from backend.runner.chat_template import ChatTemplate
from backend.runner.delivery import Publish
from backend.runner.gguf_header import Header, read_header
from backend.runner.metrics import Metrics
from backend.runner.model import Context, Model
from backend.runner.openai_api import read_messages
from backend.runner.settings import RunnerSettings
from backend.system.files import sha256_of
from backend.system.logging import log_event
from backend.system.resources import cores, free_memory

CELLS_STEP = 256  # llama.cpp rounds its cache up to this


@dataclass(frozen=True)
class Loaded:
    """A model that has answered a probe."""

    model: Model
    template: ChatTemplate
    engine: Engine

    def prompt(self, messages: tuple[Message, ...]) -> list[int]:
        """The tokens of chat messages, by the model's template. Raises BadInput."""
        return prompt_tokens(self.model, self.template.render(messages))


def prompt_tokens(model: Model, pieces: list[str]) -> list[int]:
    """The tokens of a rendered template; no control token spans a seam between pieces."""
    begin = model.begin_text()
    written = bool(begin) and pieces[0].startswith(begin)
    tokens = model.tokenise(pieces[0], with_special_tokens=True, begin=not written)
    for piece in pieces[1:]:
        tokens += model.tokenise(piece, with_special_tokens=True)
    return tokens


async def load(
    settings: RunnerSettings, native: ThreadPoolExecutor, *, metrics: Metrics, publish: Publish
) -> Loaded:
    """Check the file, load it, and compute a first token. Raises UnusableModel, EngineError."""
    loop = asyncio.get_running_loop()
    header = await loop.run_in_executor(native, _checked, settings)
    source = _template_source(settings, header)
    ChatTemplate(source)  # in this thread, where endless templates can be interrupted
    model = await loop.run_in_executor(native, Model, settings.model)
    template = ChatTemplate(
        source,
        special_texts=model.special_texts(),
        begin_text=model.begin_text(),
        end_text=model.end_text(),
    )
    pinned = _pinned_prefix(settings, model, template)

    def start() -> Engine:
        shape = _shape(settings, model, header)
        cells = shape.slots * shape.context + -(-len(pinned) // CELLS_STEP) * CELLS_STEP
        threads = settings.threads or cores()
        context = Context(
            model, sequences=shape.slots + 1, cells=cells, batch=shape.batch, threads=threads
        )
        engine = Engine(model, context, shape=shape, metrics=metrics, publish=publish)
        engine.cache.probe()
        engine.cache.pin(pinned)
        log_event("loaded", model=settings.name, threads=threads, pinned=len(pinned), **vars(shape))
        return engine

    return Loaded(model, template, await loop.run_in_executor(native, start))


def _checked(settings: RunnerSettings) -> Header:
    """The header of the file, once its hash was found to be the approved one."""
    if settings.sha256:
        try:
            found = sha256_of(settings.model)
        except OSError as error:
            raise NotAGguf(f"{settings.model} cannot be read: {error.strerror}.") from error
        if found != settings.sha256.lower():
            raise HashMismatch(
                f"{settings.model.name} is not the file that was approved: its sha256 is {found}. "
                "Add the model again, or restore the approved file."
            )
    return read_header(settings.model)


def _shape(settings: RunnerSettings, model: Model, header: Header) -> Shape:
    trained = model.trained_context
    context = min(settings.context or DEFAULT_CONTEXT, trained)
    if settings.context > trained:
        log_event("context_cut", asked=settings.context, trained=trained)
    slots = settings.slots or fitting_slots(
        context=context,
        token_bytes=cache_bytes_per_token(header),
        free_bytes=free_memory(),
    )
    return Shape(slots, context, max(settings.batch, slots), settings.queue)


def _template_source(settings: RunnerSettings, header: Header) -> str | None:
    if settings.chat_template is None:
        return header.chat_template
    return _text_of("--chat-template", settings.chat_template)


def _pinned_prefix(settings: RunnerSettings, model: Model, template: ChatTemplate) -> list[int]:
    """What all prompts with these messages at their head have in common, in tokens."""
    if settings.warm_prefix is None:
        return []
    try:
        messages = read_messages(json.loads(_text_of("--warm-prefix", settings.warm_prefix)))
    except (ValueError, BadInput) as error:
        raise BadSettings(f"--warm-prefix must hold a JSON list of messages: {error}") from error
    return prefix_of(messages, model, template)


def prefix_of(messages: tuple[Message, ...], model: Model, template: ChatTemplate) -> list[int]:
    """The tokens before the point where two different user messages would follow."""
    ends: tuple[Message, ...] = ({"role": "user", "content": "a"}, {"role": "user", "content": "1"})
    one, other = (prompt_tokens(model, template.render((*messages, end))) for end in ends)
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    return one[:common]


def _text_of(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{option}: {path} cannot be read as text.") from error


DEFAULT_CONTEXT = 2048
DEFAULT_SLOTS = 4
SHARE_FOR_CACHE = 0.25  # of the memory that is free: several runners share a machine
CACHE_BYTES_PER_NUMBER = 2  # f16


def cache_bytes_per_token(header: Header) -> int:
    """What the KV cache needs for one token of a model; 0 if the header does not say."""
    heads = header.number("attention.head_count")
    if not heads:
        return 0
    width = header.number("embedding_length") // heads
    keys = header.number("attention.key_length") or width
    values = header.number("attention.value_length") or width
    shared = header.number("attention.head_count_kv") or heads
    return header.number("block_count") * shared * (keys + values) * CACHE_BYTES_PER_NUMBER


def fitting_slots(*, context: int, token_bytes: int, free_bytes: int) -> int:
    """The default number of slots, fewer where their cache would take too much memory."""
    slots = DEFAULT_SLOTS
    while slots > 1 and slots * context * token_bytes > free_bytes * SHARE_FOR_CACHE:
        slots //= 2
    return slots
