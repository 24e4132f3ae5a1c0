"""One run of one side of the training benchmark, in a process of its own.

    python -m scripts.bench.train_sides ours|returning|TRL JOB.json

Prints a line of JSON: speed in tokens a second, peak memory, first and last loss.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from backend.domain.example import training_messages
from trainer.data.prepare import read_examples
from trainer.tuning.batches import TokenRow, example_row, rendered
from trainer.tuning.loop import TrainingTask, optimise
from trainer.tuning.quantised_base import load_in_four_bits, with_adapter
from trainer.tuning.settings import LoopSettings, TrainingSettings

Job = dict[str, Any]


def main() -> None:
    """Runs the side that is named."""
    side, path = sys.argv[1:]
    job: Job = json.loads(Path(path).read_text(encoding="utf-8"))
    told = _trl(job) if side == "TRL" else _ours(job, keep_memory=side == "ours")
    sys.stdout.write(json.dumps(told) + "\n")


def _ours(job: Job, *, keep_memory: bool) -> Job:
    settings = _settings(job)
    rows = _rows(job)
    model = with_adapter(load_in_four_bits(Path(job["base"]), settings), settings)
    loaded = _memory()
    task = TrainingTask(
        model.get_base_model(), lambda _: rows, (), "bench", keep_memory=keep_memory
    )
    with tempfile.TemporaryDirectory() as folder:
        history, seconds = _timed(lambda: optimise(task, settings.loop, folder=Path(folder)))
    return _told(rows, seconds, loaded, [step["loss"] for step in history.steps])


def _trl(job: Job) -> Job:
    from datasets import Dataset  # type: ignore[import-not-found,unused-ignore]
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found,unused-ignore]

    settings = _settings(job)
    tokenizer = AutoTokenizer.from_pretrained(job["base"])
    model = with_adapter(load_in_four_bits(Path(job["base"]), settings), settings)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**_trl_settings(settings, folder)),
            train_dataset=Dataset.from_list(_texts(job, tokenizer)),
            processing_class=tokenizer,
        )
        loaded = _memory()
        _, seconds = _timed(trainer.train)
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    return _told(_rows(job), seconds, loaded, losses)


def _trl_settings(settings: TrainingSettings, folder: str) -> Job:
    loop = settings.loop
    return {
        "output_dir": folder,
        "num_train_epochs": loop.epochs,
        "per_device_train_batch_size": loop.batch_rows,
        "learning_rate": loop.learning_rate,
        "warmup_steps": loop.warmup_share,
        "lr_scheduler_type": "cosine",
        "weight_decay": loop.weight_decay,
        "max_grad_norm": loop.largest_gradient,
        "adam_beta2": loop.second_moment,
        "optim": "adamw_torch" if loop.optimiser == "adamw" else loop.optimiser,
        "fp16": loop.compute == "float16",
        "bf16": loop.compute == "bfloat16",
        "max_length": settings.row_tokens,
        "gradient_checkpointing": settings.activation_checkpointing,
        "train_sampling_strategy": "group_by_length",
        "completion_only_loss": True,
        "packing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
        "seed": loop.seed,
    }


def _settings(job: Job) -> TrainingSettings:
    loop = LoopSettings(
        epochs=1,
        batch_rows=job["batch_rows"],
        learning_rate=2e-4,
        compute=job["compute"],
        optimiser=job["optimiser"],
        checkpoint_minutes=1e9,
    )
    return TrainingSettings(
        preset="bench",
        loop=loop,
        row_tokens=job["row_tokens"],
        prompt_tokens=job["row_tokens"],
        weights=job["weights"],
        activation_checkpointing=job["activation_checkpointing"],
    )


def _rows(job: Job) -> list[TokenRow]:
    tokenizer = AutoTokenizer.from_pretrained(job["base"])
    found = read_examples(Path(job["examples"]))
    return [example_row(one, tokenizer, budget=job["row_tokens"]) for one in found]


def _texts(job: Job, tokenizer: Any) -> list[dict[str, str]]:
    """The same rows as text; TRL adds the end token to the completion itself."""
    texts = []
    for example in read_examples(Path(job["examples"])):
        messages = training_messages(example, budget=job["row_tokens"])
        texts.append({"prompt": rendered(messages[:-1], tokenizer), "completion": example.answer})
    return texts


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - started


def _memory() -> float:
    """Bytes at the peak so far: of the GPU's tensors, or of the process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _told(rows: Sequence[TokenRow], seconds: float, loaded: float, losses: Sequence[float]) -> Job:
    return {
        "speed": sum(len(one.ids) for one in rows) / seconds,
        "peak_gb": _memory() / 1e9,
        "added_gb": (_memory() - loaded) / 1e9,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "steps": len(losses),
    }


if __name__ == "__main__":
    main()
