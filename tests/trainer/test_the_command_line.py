"""The steps by their commands, one after the other, as the README of a stranger would."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.domain.model_card import ModelCard
from backend.system.files import sha256_of
from tests.trainer.tiny import write_corpus
from trainer.cli import main


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
