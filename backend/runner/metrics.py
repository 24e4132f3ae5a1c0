"""What the runner counts and times, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120)


class Metrics:
    """One registry; `process_resident_memory_bytes` comes with it."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self.requests = Counter("runner_requests", "Ended requests", ["outcome"], registry=registry)
        self.tokens = Counter("runner_tokens", "Tokens by kind", ["kind"], registry=registry)
        self.prompt_tokens = self.tokens.labels("prompt")
        self.cached_tokens = self.tokens.labels("cached")
        self.completion_tokens = self.tokens.labels("completion")
        self.first_token = Histogram(
            "runner_first_token_seconds",
            "From the request to its first token, queue included",
            buckets=SECONDS,
            registry=registry,
        )
        self.step = Histogram(
            "runner_step_seconds", "One pass of the model", buckets=SECONDS, registry=registry
        )
        self._waiting = Gauge("runner_waiting", "Requests without a slot", registry=registry)
        self._busy = Gauge("runner_busy_slots", "Slots that are read or written", registry=registry)
        self._slots = Gauge("runner_slots", "Slots in all", registry=registry)
        self.threads = Gauge(
            "runner_threads", "Threads computing; fewer on a crowded machine", registry=registry
        )
        self.most_threads = Gauge(
            "runner_threads_allowed", "Threads that may compute", registry=registry
        )

    def watch(self, *, waiting: Callable[[], float], busy: Callable[[], float], slots: int) -> None:
        """Read these numbers from the scheduler whenever metrics are asked for."""
        self._waiting.set_function(waiting)
        self._busy.set_function(busy)
        self._slots.set(slots)

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
