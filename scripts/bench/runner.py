"""Our runner against llama.cpp's own server and llama-cpp-python's, on the same file.

    python -m scripts.bench.runner --model FILE [--make-model 1b] \\
        [--llama-server PATH] [--python-server PYTHON] [--requests 1,4,8] [--rounds 3]

All servers are loaded at once and asked in turn, round by round, so that a machine that slows
down slows all alike. Medians over the rounds; the ratios stand against `docs/design.md` 5. The
prompts of each round are new, so that nothing is in a cache but what the round itself put there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.runner_load import ask, choices, open_stream, prompts, together
from scripts.bench.runner_model import SHAPES, make_model
from scripts.bench.runner_servers import (
    LLAMA_SERVER,
    OURS,
    PYTHON_SERVER,
    Server,
    Sizes,
    commands,
    running,
    warm_up,
)


@dataclass
class Results:
    """All that was measured, by what was measured, and the servers' memory."""

    seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, name: str, value: float) -> None:
        """Keep one measurement."""
        self.seen[name].append(value)

    def median(self, name: str) -> float | None:
        """The median of what was measured under a name, if anything was."""
        return statistics.median(self.seen[name]) if self.seen.get(name) else None

    def ratio(self, above: str, below: str) -> float | None:
        """The median of one thing over that of another, if both were measured."""
        dividend, divisor = self.median(above), self.median(below)
        return dividend / divisor if dividend and divisor else None


def main() -> int:
    """Measure, print and write; 1 if a number of the design is not held."""
    read = _arguments()
    if read.make_model:
        make_model(read.model, SHAPES[read.make_model])
    sizes = Sizes(threads=read.threads)
    results = Results()
    found = commands(
        read.model, sizes, llama_server=read.llama_server, python_server=read.python_server
    )
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name, line)) for name, line in found.items()]
        for server in servers:
            warm_up(server)
            results.note(f"{server.name} MB idle", server.resident_megabytes())
        for number in range(1, read.rounds + 1):
            _round(number, servers, read, sizes, results)
        for server in servers:
            results.note(f"{server.name} MB after", server.resident_megabytes())
    held = _report(results, read)
    return 0 if held else 1


def _round(
    number: int,
    servers: list[Server],
    read: argparse.Namespace,
    sizes: Sizes,
    results: Results,
) -> None:
    turn = number % len(servers)
    for server in servers[turn:] + servers[:turn]:
        for count in read.requests:
            for shared in (False, True):
                _throughput(server, count, shared, number, read, results)
        _shared_prefix(server, number, read, results)
    _cancellation(servers[0], number, read, results)
    rate = subprocess.run(
        [
            *(sys.executable, "-m", "scripts.bench.runner_loop", str(read.model)),
            *map(str, (sizes.threads, sizes.context, read.words * 2, read.tokens)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    results.note("loop writing", float(rate.stdout))


def _throughput(
    server: Server,
    count: int,
    shared: bool,
    number: int,
    read: argparse.Namespace,
    results: Results,
) -> None:
    kind = "shared" if shared else "distinct"
    seed = number * 100 + count * 2 + shared
    streams = together(
        server, prompts(count, words=read.words, shared=shared, seed=seed), read.tokens
    )
    begun, ended = min(s.asked for s in streams), max(s.last for s in streams)
    name = f"{server.name} {kind} {count}"
    results.note(f"{name} tokens/s", sum(s.tokens for s in streams) / (ended - begun))
    results.note(f"{name} first s", statistics.median(s.first_seconds for s in streams))
    if count == 1:
        results.note(f"{server.name} writing", streams[0].writing_rate)


def _shared_prefix(server: Server, number: int, read: argparse.Namespace, results: Results) -> None:
    """The first token of a long prompt, and of another that begins with the same text."""
    long = prompts(1, words=read.words * 4, shared=False, seed=number + 5000)[0]
    cold = ask(server, f"{long} One?", 4).first_seconds
    warm = ask(server, f"{long} Two?", 4).first_seconds
    results.note(f"{server.name} cold s", cold)
    results.note(f"{server.name} warm s", warm)


def _cancellation(ours: Server, number: int, read: argparse.Namespace, results: Results) -> None:
    """How long a slot stays busy after its client has gone: while writing, and while reading."""
    response = open_stream(ours, f"cancel {number}", 1000)
    for choice in choices(response):
        if choice["delta"].get("content"):
            break
    response.close()
    results.note("cancel writing s", _seconds_until_free(ours))
    long = prompts(1, words=read.words * 4, shared=False, seed=number + 9000)[0]
    response = open_stream(ours, long, 1000)
    response.close()
    results.note("cancel reading s", _seconds_until_free(ours))


def _seconds_until_free(ours: Server) -> float:
    begun = time.perf_counter()
    while "runner_busy_slots 0.0" not in ours.get("/metrics")[1]:
        time.sleep(0.005)
    return time.perf_counter() - begun


def _report(results: Results, read: argparse.Namespace) -> bool:
    """Print and write everything; whether all numbers of the design are held."""
    medians = {name: round(statistics.median(values), 4) for name, values in results.seen.items()}
    table = Table("measured", "median", "of")
    for name, value in medians.items():
        table.add_row(name, f"{value:g}", " ".join(f"{v:.3g}" for v in results.seen[name]))
    targets = _targets(results)
    verdict = Table("number of the design", "reach", "seen", "held")
    for what, reach, seen, held in targets:
        verdict.add_row(what, reach, f"{seen:.3f}", "yes" if held else "NO")
    console = Console()
    console.print(table)
    console.print(verdict)
    body = {"medians": medians, "all": results.seen, "targets": targets}
    read.out.write_text(json.dumps(body, indent=2) + "\n")
    return all(held for *_, held in targets)


def _targets(results: Results) -> list[tuple[str, str, float, bool]]:
    four = "distinct 4 tokens/s"
    checks = (
        (f"4 at once against {LLAMA_SERVER}", f"{OURS} {four}", f"{LLAMA_SERVER} {four}", 1.0),
        (f"4 at once against {PYTHON_SERVER}", f"{OURS} {four}", f"{PYTHON_SERVER} {four}", 1.9),
        ("one stream against a bare loop", f"{OURS} writing", "loop writing", 0.95),
    )
    rows = [
        (what, f"≥ {reach}", ratio, ratio >= reach)
        for what, above, below, reach in checks
        if (ratio := results.ratio(above, below)) is not None
    ]
    for what, seen, most in (
        ("first token, prefix known", results.ratio(f"{OURS} warm s", f"{OURS} cold s"), 0.2),
        ("cancelled while writing, s", results.median("cancel writing s"), 1.0),
        ("cancelled while reading, s", results.median("cancel reading s"), 1.0),
    ):
        if seen is not None:
            rows.append((what, f"≤ {most}", seen, seen <= most))
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    option = parser.add_argument
    option("--model", type=Path, required=True, help="the GGUF all servers serve")
    option("--make-model", choices=SHAPES, help="write it first, in this shape")
    option("--llama-server", type=Path, help="llama.cpp's server, built from the same source")
    option("--python-server", type=Path, help="a Python that has llama-cpp-python[server]")
    option("--requests", type=_counts, default=(1, 4, 8), help="at once, such as 1,4,8")
    option("--rounds", type=int, default=3)
    option("--threads", type=int, default=2)
    option("--words", type=int, default=120, help="of a prompt, two tokens each or so")
    option("--tokens", type=int, default=96, help="of an answer")
    option("--out", type=Path, default=Path("runner-bench.json"))
    return parser.parse_args()


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(count) for count in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
