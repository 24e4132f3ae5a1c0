"""Replies lose what cannot be seen, and nothing else; the panel's tests read the same cases."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.suggestion import clean

CASES = json.loads(Path(__file__).parents[2].joinpath("reply_text_cases.json").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_what_is_kept(case: dict[str, str]) -> None:
    assert clean(case["given"]) == case["kept"]


@given(st.text(st.characters()))
def test_any_text_is_clean_once_cleaned(text: str) -> None:
    kept = clean(text)

    assert clean(kept) == kept
    assert kept.encode().decode() == kept
    assert not {"\u202e", "\u200b", "\U000e0041", "\r", "\x00"} & set(kept)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_no_letter_number_or_sign_is_lost(text: str) -> None:
    fillers = "\u115f\u1160\u3164\uffa0"

    assert clean(text) == "".join(one for one in text if one not in fillers)
    assert all(unicodedata.category(one) != "Cf" for one in clean(text))
