"""An adapter alone as GGUF: base and adapter in llama.cpp compute what they do in peft."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from gguf import GGUFReader

from backend.domain.errors import BadInput, NotAGguf, UnfaithfulModel, UnusableModel
from trainer.cli import main
from trainer.gguf.adapter import AdapterExport, export_adapter, write_lora
from trainer.gguf.convert import write_gguf
from trainer.gguf.logits import reference_logits
from trainer.gguf.merge import merge
from trainer.gguf.parity import ComparisonSize, continuations, parity, prompts
from trainer.gguf.quantise import quantise

SMALL = ComparisonSize(prompts=3, tokens=12)


@pytest.fixture(scope="session")
def base_gguf(base: Path, workshop: Path) -> Path:
    write_gguf(base, workshop / "base.gguf", name="base")
    return workshop / "base.gguf"


def test_an_adapter_goes_onto_a_shared_base(
    base: Path, adapter: Path, base_gguf: Path, tmp_path: Path
) -> None:
    card = export_adapter(
        AdapterExport(base, adapter, tmp_path / "a.gguf", base_gguf, comparison=SMALL)
    )

    found = card.metrics["parity_on_base"]
    assert found["kl"] < 1e-5
    assert (found["prompts"], found["same_greedy"]) == (3, 1.0)
    assert card.prompt_format == "suggest-answer/1"
    assert GGUFReader(tmp_path / "a.gguf").fields["general.type"].contents() == "adapter"
    assert (tmp_path / "a.gguf").stat().st_size < base_gguf.stat().st_size


def test_base_with_adapter_equals_the_merged_model(
    base: Path, adapter: Path, base_gguf: Path, tmp_path: Path
) -> None:
    """Of all that is measured here, only the adapter can make the difference."""
    whole = merge(base=base, adapter=adapter, out=tmp_path / "whole", into="original")
    write_lora(base, adapter, tmp_path / "a.gguf", name="a")
    texts = continuations(base_gguf, prompts(base, budget=150, count=3), base, tokens=8)
    expected = list(reference_logits(whole, [text.ids for text in texts]))

    alone = parity(base_gguf, texts, expected)
    together = parity(base_gguf, texts, expected, lora=tmp_path / "a.gguf")

    assert together.kl < 1e-5
    assert alone.kl > 100 * together.kl


def test_an_adapter_goes_onto_a_quantised_base_too(
    base: Path, adapter: Path, base_gguf: Path, tmp_path: Path
) -> None:
    quantise(base_gguf, tmp_path / "base-q8.gguf", "Q8_0")

    card = export_adapter(
        AdapterExport(
            base, adapter, tmp_path / "a.gguf", tmp_path / "base-q8.gguf", comparison=SMALL
        )
    )

    assert 1e-7 < card.metrics["parity_on_base"]["kl"] < 1e-2


def test_the_gguf_of_another_base_is_refused(
    base: Path, adapter: Path, merged: Path, tmp_path: Path
) -> None:
    write_gguf(merged, tmp_path / "merged.gguf", name="merged")

    wrong = AdapterExport(
        base, adapter, tmp_path / "a.gguf", tmp_path / "merged.gguf", comparison=SMALL
    )
    with pytest.raises(UnfaithfulModel, match="export the adapter onto F16"):
        export_adapter(wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["merged.gguf"]


def test_a_base_too_large_for_the_memory_is_compared_too(
    base: Path, adapter: Path, base_gguf: Path, tmp_path: Path
) -> None:
    wanted = AdapterExport(
        base, adapter, tmp_path / "a.gguf", base_gguf, comparison=SMALL, accepted=1.5, memory=0
    )

    card = export_adapter(wanted)

    assert card.metrics["parity_on_base"]["kl"] < 1e-5
    assert card.metrics["accepted_times_the_limits"] == 1.5
    assert {path.name for path in tmp_path.iterdir()} == {"a.gguf", "a.model_card.json"}


def test_a_base_of_unknown_quantisation_is_refused(
    base: Path, adapter: Path, base_gguf: Path, tmp_path: Path
) -> None:
    strange = shutil.copyfile(base_gguf, tmp_path / "strange.gguf")
    field = GGUFReader(strange, "r+").fields["general.file_type"]
    field.parts[field.data[0]][0] = 10  # Q2_K

    with pytest.raises(UnusableModel, match="file type 10, for which it is unknown"):
        export_adapter(AdapterExport(base, adapter, tmp_path / "a.gguf", strange, comparison=SMALL))
    strange.write_bytes(b"no model")
    with pytest.raises(NotAGguf, match="cannot be read as GGUF"):
        export_adapter(AdapterExport(base, adapter, tmp_path / "a.gguf", strange, comparison=SMALL))


@pytest.mark.parametrize(
    "option", ["--quantisation Q8_0", "--examples x", "--work x", "--converter x"]
)
def test_options_that_do_nothing_for_an_adapter_are_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"export --model base --adapter adapter --onto b.gguf --out a.gguf {option}"

    assert main(command.split()) != 0
    assert f"{option.split()[0]} is of no use" in capsys.readouterr().err


def test_what_is_no_adapter_is_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="holds no adapter"):
        write_lora(base, base, tmp_path / "a.gguf", name="a")
    with pytest.raises(BadInput, match=r"must end in \.gguf"):
        AdapterExport(base, adapter, tmp_path / "a.bin", tmp_path / "base.gguf")
