"""Asks a server for streams and notes when their tokens come."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from scripts.bench.runner_servers import KEY, Server

SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]


@dataclass(frozen=True)
class Stream:
    """One answer: when it was asked for, when its first and last text came, and its tokens."""

    asked: float
    first: float
    last: float
    tokens: int

    @property
    def first_seconds(self) -> float:
        """The time to the first token."""
        return self.first - self.asked

    @property
    def writing_rate(self) -> float:
        """Tokens a second once the first is there."""
        return (self.tokens - 1) / (self.last - self.first)


def prompts(count: int, *, words: int, shared: bool, seed: int) -> list[str]:
    """Questions of so many words; `shared` ones differ only in their last quarter."""
    common = _words(words * 3 // 4, seed)
    own = words // 4 if shared else words
    return [
        f"{common if shared else ''} {_words(own, seed * 1000 + number)}"
        for number in range(1, count + 1)
    ]


def ask(server: Server, prompt: str, max_tokens: int) -> Stream:
    """One streamed answer, read to its end."""
    asked = time.perf_counter()
    first = last = 0.0
    reason = ""
    with closing(open_stream(server, prompt, max_tokens)) as response:
        for choice in choices(response):
            if choice["delta"].get("content"):
                last = time.perf_counter()
                first = first or last
            reason = choice["finish_reason"] or reason
    if reason != "length":
        raise SystemExit(f"{server.name} ended with {reason!r}, not after {max_tokens} tokens.")
    return Stream(asked, first, last, max_tokens)


def open_stream(server: Server, prompt: str, max_tokens: int) -> http.client.HTTPResponse:
    """A connection on which an answer streams; closing it gives the answer up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
    }
    headers = {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/json",
        "Connection": "close",
    }
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"{server.name}: {response.status} {response.read().decode()[:300]}")
    return response


def choices(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The first choice of each chunk of a stream, as it comes."""
    for line in response:
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            yield from chunk["choices"][:1]


def together(server: Server, asked: Sequence[str], max_tokens: int) -> list[Stream]:
    """All answers, asked for at the same moment."""
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda prompt: ask(server, prompt, max_tokens), asked))


def _words(count: int, seed: int) -> str:
    chosen = random.Random(seed)  # noqa: S311 - nothing secret
    return " ".join("".join(chosen.choices(SYLLABLES, k=2)) for _ in range(count))
