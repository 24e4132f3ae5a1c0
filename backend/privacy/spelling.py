"""One key for a name's spellings: Cyrillic or Latin, inflected or not, with accents or without.

The key is coarse on purpose. It is only ever compared with names that a ticket is known to hold,
where `Коваленку`, `Kovalenko` and `Kowalenko` are most likely the same person.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_CYRILLIC = {
    **dict(zip("абвгґдезийіїклмнопрстуфхцыэ", "abvggdeziiiiklmnoprstufgcie", strict=True)),
    **{"є": "e", "ё": "e", "ж": "z", "ч": "c", "ш": "s", "щ": "s", "ю": "u", "я": "a"},
    **{"ь": "", "ъ": "", "'": "", "’": "", "ʼ": "", "ў": "v"},
}
_LATIN_SOUNDS = (
    (re.compile("shch|sch|sh|sz"), "s"),
    (re.compile("tsch|tch|ch|cz|ts|tz"), "c"),
    (re.compile("zh"), "z"),
    (re.compile("kh|h"), "g"),
    (re.compile("ph"), "f"),
    (re.compile("ck|q"), "k"),
    (re.compile("[yij]+(?=[aeou])"), ""),
    (re.compile("[yj]"), "i"),
    (re.compile("w"), "v"),
    (re.compile("x"), "ks"),
)
_TWICE = re.compile(r"(.)\1+")
_SILENT = re.compile("i+(?=[aeou])")
_ENDING = re.compile("(?:ogo|omu|ovi|evi|imi|ami|iga|om|em|im|ix|iv)?[aeiou]*\\Z")
_SOFTENED = {"z": "g", "c": "k"}
"""What a last consonant was before a case ending: `Ользі` is Ольга."""

_SHORTEST_STEM = 2


@lru_cache(maxsize=20_000)
def key(word: str) -> str:
    """How a word sounds, roughly, in a few Latin letters; "" for a word without letters."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    if any(letter in _CYRILLIC for letter in plain):
        sounds = "".join(_CYRILLIC.get(letter, "") for letter in plain)
    else:
        spelt = plain.replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
        bare = unicodedata.normalize("NFKD", spelt.replace("ł", "l").replace("ø", "o"))
        sounds = "".join(letter for letter in bare if "a" <= letter <= "z")
        for pattern, sound in _LATIN_SOUNDS:
            sounds = pattern.sub(sound, sounds)
    return _TWICE.sub(r"\1", _SILENT.sub("", sounds.replace("h", "g")))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The key without a case ending, or the whole key of a very short word."""
    whole = key(word)
    cut = _ENDING.sub("", whole)
    if len(cut) < _SHORTEST_STEM:
        return whole
    return cut[:-1] + _SOFTENED.get(cut[-1], cut[-1])
