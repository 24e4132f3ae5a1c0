"""The steps by their commands, one after the other, as the README of a stranger would."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from backend.domain.model_card import ModelCard
from backend.system.files import sha256_of
from tests.trainer.tiny import write_corpus
from trainer.cli import main
from trainer.data.prepare import read_examples
from trainer.tuning.settings import LoopSettings, TrainingSettings


def test_prepare_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    articles, tickets = write_corpus(tmp_path)

    code = main(
        ["prepare", "--articles", str(articles), "--tickets", str(tickets), "--out", str(tmp_path)]
    )

    assert code == 0
    assert '"examples": 44' in capsys.readouterr().out


def test_train_merge_and_export_by_command(
    base: Path, examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = f"train --base {base} --examples {examples} --out {tmp_path / 'adapter'}"
    changes = " --epochs 1 --rank 2 --row-tokens 480 --prompt-tokens 300 --compute float32"
    changes += " --base-name team/small"
    merge = f"merge --base {base} --adapter {tmp_path / 'adapter'} --out {tmp_path / 'merged'}"
    export = f"export --model {tmp_path / 'merged'} --out {tmp_path / 'a.gguf'} --quantisation Q8_0"

    codes = [main(step.split()) for step in (train + changes, merge, export)]

    assert codes == [0, 0, 0]
    assert "it has the weights of the best" in capsys.readouterr().out
    card = ModelCard.from_json((tmp_path / "a.model_card.json").read_bytes())
    assert (card.base, card.dataset_sha256) == ("team/small", sha256_of(examples))
    assert card.metrics["settings"]["rank"] == 2
    assert card.metrics["settings"]["loop"]["epochs"] == 1
    assert card.passages == max(len(example.passages) for example in read_examples(examples)) == 3


def test_a_mistake_ends_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["prepare", "--articles", "none.jsonl", "--tickets", "none.jsonl", "--out", str(tmp_path)]
    )

    assert code == 1
    assert capsys.readouterr().err == "none.jsonl cannot be read: No such file or directory.\n"


def test_an_adapter_is_exported_alone_only_onto_a_base(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.gguf"

    code = main(f"export --model {base} --adapter {adapter} --out {out}".split())

    assert code == 1
    assert "--adapter and --onto belong together" in capsys.readouterr().err
    assert not out.exists()


def test_a_subject_needs_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(f"evaluate --examples e.jsonl --out {tmp_path} --gguf a.gguf".split())

    assert "--gguf takes NAME=…, not 'a.gguf'." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("evaluate --gguf a=a.gguf --limit -1", "'-1' is not a number from 0 on"),
        ("evaluate --gguf a=a.gguf --letters -1", "-1 letters cannot be"),
        ("evaluate --gguf a=a.gguf --prompt-tokens -1", "prompt of -1 tokens cannot be"),
        ("pretrain --prompt-tokens -1", "prompt_tokens must be at least 1, not -1"),
        ("pretrain --vocabulary -1", "vocabulary must be at least 1, not -1"),
        ("prepare --tickets t.jsonl --passages -1", "passages cannot be below 0; it is -1"),
        ("train --base . --patience -1", "patience cannot be below 0; it is -1"),
    ],
)
def test_less_than_nothing_is_refused(
    options: str, says: str, examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step, *rest = options.split()
    files = ["--out", str(tmp_path / "out")]
    files += [] if step == "prepare" else ["--examples", str(examples)]

    try:
        code = main([step, *files, *rest])
    except SystemExit as ended:  # argparse's own way
        code = int(ended.code or 0)

    assert code in (1, 2)
    assert says in capsys.readouterr().err


def test_every_field_of_a_preset_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])

    told = " ".join(capsys.readouterr().out.split())
    for settings in (LoopSettings, TrainingSettings):
        for field in fields(settings):
            if field.name not in ("preset", "loop"):
                assert f"--{field.name.replace('_', '-')}" in told
    assert "--second-moment SECOND_MOMENT AdamW's beta 2: short runs forget" in told
