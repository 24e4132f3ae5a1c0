"""What web, worker and store add to the runner: from click to first text, against the runner alone.

Both sides in one run, in turn: the same prompt straight to the product's own runner, and as a click
whose suggestion is followed over server-sent events. Aim: at most 50 ms more (median).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from backend.domain import prompt
from backend.services.deploy import add_gguf
from backend.store.database import open_database
from backend.store.models import runners
from tests.product import Product, running
from tests.tiny_gguf import write_tiny_gguf

AIM_MILLISECONDS = 50.0


def main() -> None:
    """Measures and prints medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder)
        db = open_database(state_dir / "suggest-answer.db")
        add_gguf(write_tiny_gguf(state_dir / "tiny.gguf", context=2048), db=db, active=True)
        with running(state_dir) as product:
            for number in range(3):
                _click(product, f"Warm up {number}")
                _direct(product, f"Warm up again {number}")
            pairs = [
                (_click(product, f"Question {number}"), _direct(product, f"Another {number}"))
                for number in range(rounds)
            ]
    click, direct = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    extra = statistics.median(one - other for one, other in pairs) * 1000
    print(f"rounds {rounds}, medians, a tiny model so that its own time is next to nothing")
    print(f"runner alone, request to first token   {direct:7.1f} ms")
    print(f"click to first text over the product   {click:7.1f} ms")
    print(f"difference, pair by pair               {extra:7.1f} ms   aim <= {AIM_MILLISECONDS:.0f}")


def _click(product: Product, question: str) -> float:
    """Seconds from posting a ticket to the first event with text."""
    begun = time.perf_counter()
    asked = product.suggest(question, fresh=True)
    for event in product.events(asked["id"]):
        candidates = event["data"].get("candidates", [event["data"]])
        if any(one.get("append") or one.get("text") for one in candidates):
            seconds = time.perf_counter() - begun
            break
    product.finished(asked["id"])
    return seconds


def _direct(product: Product, question: str) -> float:
    """Seconds from sending the same prompt to the runner to its first token."""
    (runner,) = runners(product.db).values()
    body = {
        "messages": prompt.render(question).messages,
        "max_tokens": 320,
        "temperature": 0.2,
        "stream": True,
    }
    begun = time.perf_counter()
    with product.client.stream(
        "POST",
        f"{runner.base_url}/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {runner.key}"},
    ) as stream:
        seconds = 0.0
        for line in stream.iter_lines():  # to its end, so that the next one finds a quiet runner
            if not seconds and line.startswith("data: {") and _has_text(line):
                seconds = time.perf_counter() - begun
    return seconds


def _has_text(line: str) -> bool:
    choices = json.loads(line.removeprefix("data: "))["choices"]
    return any(one["delta"].get("content") for one in choices)


if __name__ == "__main__":
    main()
