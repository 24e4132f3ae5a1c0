"""One model on its way from a file to a service: checked, loaded, sized by the machine, probed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain.errors import (
    BadInput,
    BadSettings,
    HashMismatch,
    NotAGguf,
    ProductError,
    Unavailable,
)
from backend.domain.prompt import Message
from backend.runner.batching import BatchLimits, BatchScheduler
from backend.runner.chat_template import ChatTemplate
from backend.runner.delivery import Delivery, Publish
from backend.runner.gguf_header import Header, read_header
from backend.runner.metrics import Metrics
from backend.runner.model import Context, Model
from backend.runner.openai_api import read_messages
from backend.runner.settings import RunnerSettings
from backend.runner.slots import common_prefix
from backend.runner.thread_pace import ThreadPace
from backend.system.files import sha256_of
from backend.system.logging import log_event
from backend.system.resources import cores, free_memory

DEFAULT_CONTEXT = 2048
DEFAULT_SLOTS = 4
SHARE_FOR_CACHE = 0.25  # of the memory that is free: several runners share a machine
CACHE_BYTES_PER_NUMBER = 2  # f16
CELLS_STEP = 256  # llama.cpp rounds its cache up to this


@dataclass
class ModelService:
    """What the HTTP routes need of the model, before, while and after it is served."""

    settings: RunnerSettings
    metrics: Metrics = field(default_factory=Metrics)
    native: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="scheduler")
    )
    loaded: LoadedModel | None = None
    failure: BaseException | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self) -> LoadedModel:
        """The loaded model. Raises Unavailable while it is loading."""
        if self.loaded is None:
            raise Unavailable("The model is still loading. Try again in some seconds.")
        return self.loaded

    async def work(self) -> None:
        """Load the model and let it write until it is stopped; keeps what went wrong."""
        loop = asyncio.get_running_loop()

        def publish(deliveries: Sequence[Delivery]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(_deliver, deliveries)

        try:
            loaded = await load(self.settings, self.native, metrics=self.metrics, publish=publish)
            self.loaded = loaded
            await loop.run_in_executor(self.native, loaded.scheduler.run)
        except ProductError as error:
            self.failure = error
        finally:
            self.ended.set()


@dataclass(frozen=True)
class LoadedModel:
    """A model that has answered a probe."""

    model: Model
    template: ChatTemplate
    scheduler: BatchScheduler

    def prompt(self, messages: tuple[Message, ...]) -> list[int]:
        """The tokens of chat messages, by the model's template. Raises BadInput."""
        return self.model.tokenise_prompt(self.template.render(messages))


def _deliver(deliveries: Sequence[Delivery]) -> None:
    for sink, event in deliveries:
        sink(event)


async def load(
    settings: RunnerSettings, native: ThreadPoolExecutor, *, metrics: Metrics, publish: Publish
) -> LoadedModel:
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

    def start() -> BatchScheduler:
        limits = _limits(settings, model, header)
        cells = limits.slots * limits.context + -(-len(pinned) // CELLS_STEP) * CELLS_STEP
        threads = settings.threads or cores()
        context = Context(
            model, sequences=limits.slots + 1, cells=cells, batch=limits.batch, threads=threads
        )
        scheduler = BatchScheduler(
            model,
            context,
            limits=limits,
            threads=ThreadPace(threads),
            metrics=metrics,
            publish=publish,
        )
        scheduler.cache.probe()
        scheduler.cache.pin(pinned)
        sizes = {"threads": threads, "pinned": len(pinned), **vars(limits)}
        log_event("loaded", model=settings.name, **sizes)
        return scheduler

    return LoadedModel(model, template, await loop.run_in_executor(native, start))


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


def _limits(settings: RunnerSettings, model: Model, header: Header) -> BatchLimits:
    trained = model.trained_context
    context = min(settings.context or DEFAULT_CONTEXT, trained)
    if settings.context > trained:
        log_event("context_cut", asked=settings.context, trained=trained)
    slots = settings.slots or fitting_slots(
        context=context,
        token_bytes=cache_bytes_per_token(header),
        free_bytes=free_memory(),
    )
    return BatchLimits(slots, context, max(settings.batch, slots), settings.queue)


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
    first, second = (model.tokenise_prompt(template.render((*messages, end))) for end in ends)
    return first[: common_prefix(first, second)]


def _text_of(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{option}: {path} cannot be read as text.") from error


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
