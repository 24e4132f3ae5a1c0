"""The runner's settings: read once, from the command line and one environment variable."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import BadSettings

KEY_VARIABLE = "SUGGEST_ANSWER_RUNNER_KEY"
MAX_THREADS = 512


@dataclass(frozen=True)
class RunnerSettings:
    """Everything a runner is told. A size of 0 means: what fits the model and the machine."""

    model: Path
    key: str
    name: str
    host: str = "127.0.0.1"
    port: int = 0
    context: int = 0
    slots: int = 0
    threads: int = 0
    batch: int = 256
    queue: int = 32
    max_tokens: int = 512
    sha256: str = ""
    warm_prefix: Path | None = None
    chat_template: Path | None = None

    def __post_init__(self) -> None:
        for field, low, high in (
            ("port", 0, 65_535),
            ("context", 0, 1_048_576),
            ("slots", 0, 64),
            ("threads", 0, MAX_THREADS),
            ("batch", 32, 4096),
            ("queue", 1, 10_000),
            ("max_tokens", 1, 131_072),
        ):
            if not low <= getattr(self, field) <= high:
                raise BadSettings(f"--{field.replace('_', '-')} must be from {low} to {high}.")
        if not self.key:
            raise BadSettings(f"Set {KEY_VARIABLE} to a long random text: the key of this runner.")
        if self.sha256 and len(self.sha256) != 64:
            raise BadSettings("--sha256 must be 64 hex digits.")


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> RunnerSettings:
    """The settings in a command line. Raises BadSettings; argparse ends the process by itself."""
    read = _parser().parse_args(arguments)
    given = {name: value for name, value in vars(read).items() if value is not None}
    given.setdefault("name", read.model.stem)
    return RunnerSettings(**given, key=environment.get(KEY_VARIABLE, ""))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backend.runner",
        description=f"Serve one GGUF, OpenAI-compatible. The key stands in {KEY_VARIABLE}.",
    )
    option = parser.add_argument
    option("--model", type=Path, required=True, help="the GGUF to serve")
    option("--name", help="name of the model in requests (default: the file's)")
    option("--host", help="address to listen on (default: 127.0.0.1)")
    option("--port", type=int, help="0 picks a free one and prints it (default: 0)")
    option("--context", type=int, help="tokens of one slot (default: up to 2048)")
    option("--slots", type=int, help="replies written at once (default: 4 if memory allows)")
    option("--threads", type=int, help="default: the physical cores")
    option("--batch", type=int, help="most prompt tokens in one step (default: 256)")
    option("--queue", type=int, help="most requests waiting for a slot (default: 32)")
    option("--max-tokens", type=int, help="of a reply that sets no limit (default: 512)")
    option("--sha256", help="refuse the file if its hash is another")
    option("--warm-prefix", type=Path, help="JSON messages all prompts begin with, kept computed")
    option("--chat-template", type=Path, help="a Jinja file instead of the GGUF's own template")
    return parser
