"""Writes the name lists of `backend/privacy/words/` from the libraries that keep them.

Run it after raising Faker or mimesis: `python -m scripts.collect_names`. The lists are kept in the
repository because both libraries together take 60 MB and a second to load, the lists 10 MB and a
tenth of a second. Same versions, same bytes.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Any

WORDS = Path(__file__).resolve().parent.parent / "backend" / "privacy" / "words"
KINDS = {"first": "f", "last": "l", "names": "f", "surnames": "l"}
PROSE = ("de_AT", "de_DE")
LICENCE = """\
# From Faker {faker} (Copyright (c) 2012 Daniele Faraglia) and mimesis {mimesis} (Copyright (c) 2016
# Isaac Uchakayev), both under the MIT licence: permission is granted, free of charge, to use, copy,
# modify, merge, publish, distribute, sublicense and sell copies, provided that this notice is
# included. Provided "as is", without warranty of any kind. Written by scripts/collect_names.py.
"""
SOUNDS = (
    "a b v h g d e z y i i k l m n o p r s t u f kh ts ch sh shch y e yu ya ye i e zh "
    "u j lj nj c dj dz"
)
LATIN = dict(zip("абвгґдезийіклмнопрстуфхцчшщыэюяєїёжўјљњћђџ", SOUNDS.split(), strict=True))
LATIN |= dict.fromkeys("ьъ'\u2019", "")


def main() -> None:
    """Writes both lists."""
    kinds: dict[str, set[str]] = {}
    for kind, name in (*_of_faker(), *_of_mimesis()):
        for word in _latin(name):
            kinds.setdefault(word, set()).add(kind)
    names = [f"{word} {''.join(sorted(kinds[word]))}" for word in sorted(kinds)]
    _write("names.txt", "# First names (f) and surnames (l) of some ninety locales.\n", names)
    _write("german.txt", "# Ordinary German words.\n", sorted(_prose()))


def _write(file: str, about: str, lines: Iterable[str]) -> None:
    versions = {name: metadata.version(name) for name in ("faker", "mimesis")}
    text = about + LICENCE.format(**versions) + "\n".join(lines) + "\n"
    (WORDS / file).write_text(text, encoding="utf-8")


def _of_faker() -> Iterator[tuple[str, str]]:
    package = importlib.import_module("faker.providers.person")
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        provider: Any = importlib.import_module(found.name).Provider
        for attribute in dir(provider):
            kind = KINDS.get(attribute.partition("_")[0])
            if kind and "format" not in attribute:
                for name in _strings(getattr(provider, attribute)):
                    yield kind, name


def _of_mimesis() -> Iterator[tuple[str, str]]:
    for locale in sorted(resources.files("mimesis.datasets").iterdir(), key=str):
        file = locale / "person.json"
        if file.is_file():
            lists = json.loads(file.read_text(encoding="utf-8"))
            for field in ("names", "surnames"):
                for name in _strings(lists.get(field, ())):
                    yield KINDS[field], name


def _prose() -> set[str]:
    words: set[str] = set()
    for locale in PROSE:
        provider: Any = importlib.import_module(f"faker.providers.lorem.{locale}").Provider
        words.update(word for word in provider.word_list if len(word) > 1)
    german = resources.files("mimesis.datasets").joinpath("de", "text.json")
    words.update(json.loads(german.read_text(encoding="utf-8"))["words"])
    return {word.casefold() for word in words if word.isalpha()}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner if isinstance(inner, list | tuple | dict) else key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _latin(name: str) -> Iterator[str]:
    """The words of a name in Latin letters, lower case; Cyrillic ones transliterated."""
    if not name[:1].isupper() or name.isupper():
        return
    for word in name.casefold().split():
        spelt = word if word[0] < "\u0250" else "".join(LATIN.get(letter, "?") for letter in word)
        if len(spelt) > 2 and spelt.replace("-", "").replace("'", "").isalpha():
            yield spelt


if __name__ == "__main__":
    main()
