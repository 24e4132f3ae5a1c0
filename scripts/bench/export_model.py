"""Merge and export of a random model in the shape of a real one: minutes, memory, bytes.

    python -m scripts.bench export_model --shape 1b

Each step runs in a process of its own. Its time is without the start of Python; its memory is the
highest of samples: what it holds itself (anonymous), and with the pages of mapped files (RSS),
which the system takes back when it needs them. The forecast for 7B multiplies times and bytes by
weights, and memory by the largest tensor where a step holds one, by nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.system.resources import cores

SHAPES = {
    "tiny": {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "heads": 4},
    "1b": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "heads": 32},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "heads": 32},
}
STEPS = (
    "merge",
    "convert",
    "quantise",
    "write",
    "reference",
    "reference streamed",
    "compare",
    "compare Q4_K_M",
)
VOCABULARY = 32_000
RANK = 16
SEVEN = 6.74e9


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    step: str
    seconds: float
    anonymous: float
    rss: float
    written: int


def main() -> None:
    """Measures all steps, or in a child process runs one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="1b")
    parser.add_argument("--work", type=Path, help="folder with room for about four times the model")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        _run(given.step, given.work)
        return
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        work = Path(folder)
        weights = _make(work, given.shape)
        costs = [_measured(step, work) for step in STEPS]
        _print(costs, weights)


def _make(work: Path, shape: str) -> int:
    """The model and an adapter, with random weights; returns how many weights there are."""
    import torch

    from trainer.record import Record, write_record
    from trainer.tensor_files import write_tensors
    from trainer.tuning.settings import preset_named

    base, adapter = work / "base", work / "adapter"
    shapes = _write_config(base, SHAPES[shape])
    chance = torch.Generator().manual_seed(1)

    def some(all_shapes: dict[str, tuple[int, ...]]) -> Iterator[tuple[str, torch.Tensor]]:
        for name, one in all_shapes.items():
            yield name, torch.randn(one, generator=chance) * 0.02 + (1.0 if len(one) == 1 else 0)

    write_tensors(base / "model.safetensors", shapes, some(shapes), torch.float16)
    adapter.mkdir()
    pairs: dict[str, tuple[int, ...]] = {}
    for name, one in shapes.items():
        if "_proj" in name:
            stem = f"base_model.model.{name.removesuffix('.weight')}.lora_"
            pairs |= {f"{stem}A.weight": (RANK, one[1]), f"{stem}B.weight": (one[0], RANK)}
    write_tensors(adapter / "adapter_model.safetensors", pairs, some(pairs), torch.float32)
    config = {"r": RANK, "lora_alpha": 2 * RANK}
    (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    settings = preset_named("cpu-tiny").to_row() | {"weights": "float16"}
    write_record(Record(step="train", settings=settings, prompt_tokens=300), adapter)
    return sum(torch.Size(one).numel() for one in shapes.values())


def _write_config(base: Path, shape: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """config.json and tokenizer; returns the shape of each tensor."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    from tests.trainer.tiny_models import byte_level_tokenizer

    size: dict[str, Any] = {name: value for name, value in shape.items() if name != "heads"}
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        num_attention_heads=shape["heads"],
        max_position_embeddings=2048,
        architectures=["LlamaForCausalLM"],
        **size,
    )
    config.save_pretrained(base)
    byte_level_tokenizer().save_pretrained(base)
    kind = AutoModelForCausalLM
    with torch.device("meta"):
        model = kind.from_config(config)  # type: ignore[no-untyped-call,unused-ignore]
    return {name: tuple(one.shape) for name, one in model.state_dict().items()}


def _run(step: str, work: Path) -> None:
    """One step, in this process; prints its seconds."""
    from trainer.gguf.convert import write_gguf
    from trainer.gguf.logits import reference_logits, save_logits, saved_logits
    from trainer.gguf.merge import merge
    from trainer.gguf.parity import Continuation, continuations, parity, prompts
    from trainer.gguf.quantise import quantise

    merged, plain, small = work / "merged", work / "F16.gguf", work / "Q4_K_M.gguf"
    texts = work / "written.json"
    started = time.monotonic()
    if step == "merge":
        merge(base=work / "base", adapter=work / "adapter", out=merged)
    elif step == "convert":
        write_gguf(merged, plain, name="random")
    elif step == "quantise":
        quantise(plain, small, "Q4_K_M")
    elif step == "write":
        found = continuations(plain, prompts(merged, budget=300, count=4), merged, tokens=16)
        texts.write_text(json.dumps([[one.ids, one.prompt_tokens] for one in found]))
    else:
        found = [Continuation(tuple(ids), count) for ids, count in json.loads(texts.read_text())]
        if step.startswith("reference"):
            memory = 0 if step.endswith("streamed") else None
            logits = reference_logits(merged, [one.ids for one in found], memory=memory)
            save_logits(work / "reference.npz", logits)
        else:
            gguf = small if step.endswith("Q4_K_M") else plain
            parity(gguf, found, saved_logits(work / "reference.npz"))
    print(json.dumps({"seconds": time.monotonic() - started}))


def _measured(step: str, work: Path) -> Cost:
    before = _bytes(work)
    command = [sys.executable, "-m", "scripts.bench", "export_model", "--step", step]
    with subprocess.Popen(
        [*command, "--work", str(work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        anonymous = rss = 0.0
        while child.poll() is None:
            own, whole = _memory(child.pid)
            anonymous, rss = max(anonymous, own), max(rss, whole)
            time.sleep(0.05)
        output = child.stdout.read() if child.stdout else ""
    if child.returncode:
        sys.exit(f"{step} ended with {child.returncode}")
    seconds = json.loads(output.strip().splitlines()[-1])["seconds"]
    return Cost(step, seconds, anonymous, rss, _bytes(work) - before)


def _memory(pid: int) -> tuple[float, float]:
    """Anonymous and all resident memory of a process, in GB; zero once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0, 0.0
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    own, whole = (int(fields.get(name, "0").split()[0]) / 1e6 for name in ("RssAnon", "VmRSS"))
    return own, whole


def _bytes(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def _print(costs: list[Cost], weights: int) -> None:
    factor = SEVEN / weights
    heads = ("seconds", "own GB", "RSS GB", "wrote GB", "7B: min", "7B: GB")
    print(f"{weights / 1e9:.2f} billion weights, on a machine with {cores()} cores")
    print(f"{'step':20}" + "".join(f"{head:>10}" for head in heads))
    for one in costs:
        minutes, wrote = one.seconds * factor / 60, one.written / 1e9
        cells = (one.seconds, one.anonymous, one.rss, wrote, minutes, wrote * factor)
        print(f"{one.step:20}" + "".join(f"{cell:10.2f}" for cell in cells))


if __name__ == "__main__":
    main()
