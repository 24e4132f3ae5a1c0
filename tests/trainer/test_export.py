"""From a transformers folder to a GGUF that is compared, quantised and described."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from transformers import AutoTokenizer

from backend.domain.errors import (
    BadInput,
    BadSettings,
    DiskFull,
    Unavailable,
    UnfaithfulModel,
    UnusableModel,
)
from backend.domain.model_card import ModelCard, check_prompt_format
from backend.domain.prompt import render
from backend.system.files import sha256_of
from backend.system.resources import check_disk, check_memory
from trainer.data.prepare import read_examples
from trainer.gguf.convert import convert_with, write_gguf
from trainer.gguf.export import Export, export
from trainer.gguf.logits import opened, reference_logits
from trainer.gguf.parity import ComparisonSize
from trainer.tuning.batches import rendered

SMALL = ComparisonSize(prompts=3, tokens=8)


def test_tokenizer_and_gguf_render_a_chat_alike(merged: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged)
    messages = render("Де мій рахунок?\n\nInvoice {{ 7*7 }} please", budget=300).messages
    write_gguf(merged, tmp_path / "plain.gguf", name="plain")

    with opened(tmp_path / "plain.gguf", context=64) as loaded:
        formatter: Any = Jinja2ChatFormatter(
            template=loaded.metadata["tokenizer.chat_template"],
            eos_token="<|im_end|>",
            bos_token="",
        )
        assert formatter(messages=messages).prompt == rendered(messages, tokenizer)
        assert loaded.token_eos() == tokenizer.eos_token_id


def test_an_export_brings_its_card(merged: Path, examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.gguf"
    rows = tuple(read_examples(examples)[:2])

    card = export(Export(merged, out, "Q8_0", licence="MIT", examples=rows, comparison=SMALL))

    assert ModelCard.from_json((tmp_path / "tuned.model_card.json").read_text()) == card
    check_prompt_format(card)
    assert (card.name, card.base, card.quantisation) == ("tuned", "base", "Q8_0")
    assert (card.prompt_format, card.prompt_tokens) == ("suggest-answer/1", 300)
    assert (card.sha256, card.context_tokens) == (sha256_of(out), 512)
    exact, quantised = card.metrics["parity_f16"], card.metrics["parity_q8_0"]
    assert exact["kl"] < 1e-5
    assert exact["kl"] < quantised["kl"] < 1e-2
    assert (exact["same_greedy"], exact["prompts"]) == (1.0, 3)
    assert abs(exact["perplexity_change"]) < abs(quantised["perplexity_change"]) < 0.05
    assert card.metrics["validation_loss"] < card.metrics["validation_loss_before"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tuned.gguf",
        "tuned.model_card.json",
    ]


def test_a_trained_model_writes_the_same_fifty_tokens_after_twenty_prompts(
    merged: Path, tmp_path: Path
) -> None:
    card = export(Export(merged, tmp_path / "tuned.gguf", "F16"))

    found = card.metrics["parity_f16"]
    assert (found["prompts"], found["same_greedy"]) == (20, 1.0)
    assert found["kl"] <= 1e-4


def test_a_base_is_bound_to_no_prompt_format(base: Path, tmp_path: Path) -> None:
    card = export(Export(base, tmp_path / "base.gguf", "F16", comparison=SMALL))

    assert card.prompt_format == ""
    assert card.base == ""


def test_finished_steps_are_not_done_again(merged: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    wanted = Export(merged, tmp_path / "a.gguf", "Q8_0", name="a", work=work, comparison=SMALL)
    export(wanted)
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}

    export(replace(wanted, kind="Q4_K_M", out=tmp_path / "b.gguf"))

    after = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    again = {name for name in before if before[name] != after[name]}
    assert again == {"steps.json"}
    assert set(after) - set(before) == {"Q4_K_M.gguf", "parity_Q4_K_M.json"}


def test_a_damaged_step_is_done_again(merged: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    wanted = Export(merged, tmp_path / "a.gguf", "Q8_0", name="a", work=work, comparison=SMALL)
    first = export(wanted)
    whole = (work / "Q8_0.gguf").read_bytes()
    (work / "Q8_0.gguf").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    again = export(wanted)

    assert again.sha256 == first.sha256 == sha256_of(tmp_path / "a.gguf")


def test_steps_of_another_model_are_not_taken(merged: Path, base: Path, tmp_path: Path) -> None:
    wanted = Export(merged, tmp_path / "a.gguf", "F16", work=tmp_path / "work", comparison=SMALL)
    first = export(wanted)

    other = export(replace(wanted, model=base))

    assert other.sha256 != first.sha256


def converter(folder: Path, made: Path) -> Path:
    """A program that takes the arguments of llama.cpp's converter, and writes a GGUF made before.

    Theirs comes with its sources only and cannot be had everywhere.
    """
    script = folder / "convert_hf_to_gguf.py"
    script.write_text(
        "import shutil, sys\n"
        "model, flag, out, kind, f16 = sys.argv[1:]\n"
        "assert (flag, kind, f16) == ('--outfile', '--outtype', 'f16')\n"
        f"shutil.copyfile({str(made)!r}, out)\n",
        encoding="utf-8",
    )
    return script


def test_the_own_converter_of_llama_cpp_can_do_the_first_step(merged: Path, tmp_path: Path) -> None:
    write_gguf(merged, tmp_path / "made.gguf", name="theirs")
    script = converter(tmp_path, tmp_path / "made.gguf")

    wanted = Export(merged, tmp_path / "a.gguf", "F16", converter=script, comparison=SMALL)
    card = export(wanted)

    assert card.metrics["parity_f16"]["kl"] < 1e-5
    name = GGUFReader(tmp_path / "a.gguf").fields["general.name"].contents()
    assert name == "theirs"


def test_a_converter_that_fails_is_quoted(merged: Path, tmp_path: Path) -> None:
    script = tmp_path / "convert.py"
    script.write_text("raise SystemExit('Model MambaForCausalLM is not supported')")

    with pytest.raises(UnusableModel, match="MambaForCausalLM is not supported"):
        convert_with(script, merged, tmp_path / "out.gguf")
    with pytest.raises(BadInput, match="is no file"):
        convert_with(tmp_path / "none.py", merged, tmp_path / "out.gguf")


def test_a_conversion_that_lost_something_is_refused_by_its_step(
    merged: Path, base: Path, tmp_path: Path
) -> None:
    """Here the converter writes the base instead: fluent text, but not this model's."""
    write_gguf(base, tmp_path / "made.gguf", name="wrong")
    script = converter(tmp_path, tmp_path / "made.gguf")

    with pytest.raises(UnfaithfulModel, match="The step 'convert' changed"):
        export(Export(merged, tmp_path / "a.gguf", converter=script, comparison=SMALL))

    assert not (tmp_path / "a.gguf").exists()


def test_a_tokenizer_that_does_not_fit_is_refused_by_its_step(merged: Path, tmp_path: Path) -> None:
    write_gguf(merged, tmp_path / "made.gguf", name="wrong")
    script = converter(tmp_path, tmp_path / "made.gguf")
    model = shutil.copytree(merged, tmp_path / "model")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:20]
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))

    with pytest.raises(UnfaithfulModel, match="The step 'vocabulary' changed"):
        export(Export(model, tmp_path / "a.gguf", converter=script, comparison=SMALL))


def test_a_model_too_large_for_the_memory_is_read_from_the_disk(merged: Path) -> None:
    texts = [[5, 80, 200, 301], [42, 17]]

    in_memory = reference_logits(merged, texts)
    from_disk = reference_logits(merged, texts, memory=0)

    for logits, other in zip(in_memory, from_disk, strict=True):
        assert logits.shape == other.shape
        assert logits == pytest.approx(other, abs=1e-5)


def test_without_room_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=r"The step 'export' writes 1000000\.00 GB"):
        check_disk(tmp_path, 10**15, step="export")
    with pytest.raises(Unavailable, match=r"needs 1000000\.00 GB of memory"):
        check_memory(10**15, step="export")
    check_disk(tmp_path, 0, step="export")
    check_memory(0, step="export")


def test_wrong_wishes_are_refused(merged: Path, tmp_path: Path) -> None:
    wish = Export(merged, tmp_path / "out.gguf")

    with pytest.raises(BadSettings, match="no quantisation 'Q9'"):
        replace(wish, kind="Q9")
    with pytest.raises(BadInput, match=r"must end in \.gguf"):
        replace(wish, out=tmp_path / "out.bin")
