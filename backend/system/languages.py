"""The words of human languages: one TOML file a language in the `languages/` folder of a room.

A room says in a frozen dataclass which words it uses; a key of a file is a field of that class, so
a file that misspells one is refused instead of being half read. Adding a language is adding a file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, field, fields
from importlib import resources
from typing import Any, TypeVar

from backend.domain.errors import BadInput

Words = TypeVar("Words")

_PHRASE = re.compile(r"[^\s*](?:[^*\n]*[^\s*])?\*?")
_ESCAPED = re.compile(r"\\.")


def phrases() -> Any:
    """A field of plain phrases in lower case; a `*` at the end stands for any ending."""
    return field(default=(), metadata={"check": _not_a_phrase})


def patterns() -> Any:
    """A field of regular expressions that are met in any case; a plain word is one too."""
    return field(default=(), metadata={"check": _not_a_pattern})


def spellings() -> Any:
    """A field of regular expressions whose capitals count, such as `Street` in an address."""
    return field(default=(), metadata={"check": _not_a_spelling})


def read_languages(package: str, schema: type[Words]) -> Mapping[str, Words]:
    """The words of each language of a package, by its code. Raises BadInput for a wrong file."""
    folder = resources.files(package).joinpath("languages")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    return {
        file.name.removesuffix(".toml"): words_in(file.read_text("utf-8"), file.name, schema)
        for file in files
    }


def together(languages: Iterable[Words], schema: type[Words]) -> Words:
    """The words of several languages as if of one, each once."""
    spoken = list(languages)
    return schema(
        **{
            name: tuple(dict.fromkeys(word for words in spoken for word in getattr(words, name)))
            for name in _fields(schema)
        }
    )


def words_in(text: str, name: str, schema: type[Words]) -> Words:
    """The words in a file's text. Raises BadInput, which says what to mend."""
    if not re.fullmatch(r"[a-z]{2,3}\.toml", name):
        raise BadInput(f"{name} is no file of a language: name it by its ISO 639 code (pl.toml).")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name} is no TOML: {error}.") from error
    known = _fields(schema)
    for key, values in table.items():
        if key not in known:
            raise BadInput(f"{name} has the key {key!r}, which nothing reads: {_list(known)}.")
        _check(values, f"{name}: {key}", known[key].metadata["check"])
    return schema(**{key: tuple(values) for key, values in table.items()})


def either(words: Iterable[str]) -> str:
    """The regular expression that any of these matches; nothing matches none."""
    return f"(?:{'|'.join(words) or '(?!)'})"


def phrase_patterns(phrases: Iterable[str]) -> list[str]:
    """Regular expressions for plain phrases."""
    return [re.escape(phrase).replace(r"\ ", " ").replace(r"\*", r"\w*") for phrase in phrases]


def _fields(schema: type[Any]) -> dict[str, Field[Any]]:
    return {known.name: known for known in fields(schema)}


def _list(known: Iterable[str]) -> str:
    return f"the keys are {', '.join(known)}"


def _check(values: Any, where: str, wrong: Callable[[str], str]) -> None:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadInput(f'{where} is no list of texts: write it as ["one", "two"].')
    if not values:
        raise BadInput(f"{where} is empty: leave the key out, or name a word.")
    for value in values:
        if values.count(value) > 1:
            raise BadInput(f"{where} names {value!r} twice: once is enough.")
        if reason := wrong(value):
            raise BadInput(f"{where} has {value!r}, which {reason}.")


def _not_a_phrase(value: str) -> str:
    if value != value.lower():
        return "is not in lower case"
    return "" if _PHRASE.fullmatch(value) else "is no phrase: a * may stand only at its end"


def _not_a_pattern(value: str) -> str:
    plain = _ESCAPED.sub("", value)
    return "is not in lower case" if plain != plain.lower() else _not_a_spelling(value)


def _not_a_spelling(value: str) -> str:
    try:
        pattern = re.compile(value)
    except re.error as error:
        return f"is no regular expression ({error})"
    if pattern.groups:
        return "remembers a group: write (?:…) for (…)"
    return "matches nothing at all" if not value else ""
