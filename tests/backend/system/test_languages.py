"""A file of words is read whole or refused with a sentence; each is shipped and each is read."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from backend.domain.errors import BadInput
from backend.intake.mail import IntakeWords, intake_words
from backend.knowledge.lexical_index import EndingWords
from backend.privacy.lexicon import PrivacyWords, privacy_languages, privacy_words
from backend.system.languages import (
    either,
    patterns,
    phrase_patterns,
    phrases,
    read_languages,
    spellings,
    together,
    words_in,
)

CHECKOUT = Path(__file__).resolve().parents[3]
FILES = sorted((CHECKOUT / "backend").glob("*/languages/*.toml"))


@dataclass(frozen=True)
class Few:
    greetings: tuple[str, ...] = phrases()
    endings: tuple[str, ...] = patterns()
    streets: tuple[str, ...] = spellings()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("xx.toml", "greting = ['hello']", "has the key 'greting', which nothing reads"),
        ("xx.toml", "greetings = 'hello'", "greetings is no list of texts"),
        ("xx.toml", "greetings = ['hello', 5]", "greetings is no list of texts"),
        ("xx.toml", "[greetings]\na = ['hello']", "greetings is no list of texts"),
        ("xx.toml", "greetings = []", "greetings is empty"),
        ("xx.toml", "greetings = ['Hello']", "'Hello', which is not in lower case"),
        ("xx.toml", "greetings = ['hello', 'hello']", "names 'hello' twice"),
        ("xx.toml", "greetings = [' hello']", "which is no phrase"),
        ("xx.toml", "greetings = ['he*llo']", "which is no phrase"),
        ("xx.toml", "endings = ['E\\b']", "which is not in lower case"),
        ("xx.toml", "endings = ['e(']", "which is no regular expression"),
        ("xx.toml", "endings = ['(a|b)']", "which remembers a group"),
        ("xx.toml", "streets = ['']", "which matches nothing at all"),
        ("xx.toml", "greetings = ", "is no TOML"),
        ("English.toml", "greetings = ['hello']", "is no file of a language"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        words_in(text, name, Few)


def test_a_right_file_is_read_and_languages_count_together() -> None:
    one = words_in(
        "greetings = ['hello', 'hi*']\nendings = ['e\\b']\nstreets = ['St\\.']", "xx.toml", Few
    )
    other = words_in("greetings = ['hello', 'ciao']", "yy.toml", Few)

    assert together([one, other], Few) == Few(("hello", "hi*", "ciao"), ("e\\b",), ("St\\.",))


def test_phrases_are_met_as_they_stand_with_any_ending_after_a_star() -> None:
    pattern = re.compile(either(phrase_patterns(["e.g. this", "thank*"])))

    assert [bool(pattern.fullmatch(text)) for text in ("e.g. this", "eKg. this", "thankful")] == [
        True,
        False,
        True,
    ]
    assert not re.search(either([]), "anything")


@pytest.mark.parametrize(
    ("package", "schema"),
    [
        ("backend.intake", IntakeWords),
        ("backend.privacy", PrivacyWords),
        ("backend.knowledge", EndingWords),
    ],
)
def test_every_file_of_a_room_is_right_and_each_of_its_keys_stands_somewhere(
    package: str, schema: type[Any]
) -> None:
    languages = read_languages(package, schema)

    filled = {
        field.name
        for words in languages.values()
        for field in fields(schema)
        if getattr(words, field.name)
    }
    assert len(languages) >= 2
    assert filled == {field.name for field in fields(schema)}


def test_words_are_read_once() -> None:
    assert privacy_words() is privacy_words()
    assert privacy_languages() is privacy_languages()
    assert intake_words() is intake_words()


def test_an_installed_copy_has_every_file_of_words() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    globs = project["tool"]["setuptools"]["package-data"]["backend"]
    shipped = {path for glob in globs for path in (CHECKOUT / "backend").glob(glob)}
    files = {
        path for ending in ("toml", "txt") for path in (CHECKOUT / "backend").rglob(f"*.{ending}")
    }

    assert len(FILES) >= 20
    assert files <= shipped


def test_no_module_holds_words_that_a_file_of_a_language_should() -> None:
    texts = {
        path.relative_to(CHECKOUT): _words_in_code(path)
        for room in ("intake", "privacy", "knowledge")
        for path in (CHECKOUT / "backend" / room).rglob("*.py")
    }

    assert {path: words for path, words in texts.items() if words} == {}


def _words_in_code(path: Path) -> list[str]:
    """Words of two letters or more with a letter that English lacks, but for comments."""
    code = re.sub(r'"""[\s\S]*?"""|#.*', "", path.read_text("utf-8"))
    words = re.findall(r"[^\W\d_]{2,}", code)
    return [
        word for word in words if re.search("[\u0400-\u04ffäöüßéęął]", word) and word not in SCRIPTS
    ]


SCRIPTS = frozenset({"äöüß", "абвгґдезийіїклмнопрстуфхцыэ", "ўЎјљњџђћѓќѕәғқңөұүһ"})
"""Runs of letters that tell scripts apart or spell one in another: no words of any language."""
