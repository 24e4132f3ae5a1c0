"""Which language a text is in, without a network or a large model.

py3langid (4.5 MB, 0.1 ms a text, 130 MB of memory with numpy) was as right as lingua on 2,300 real
texts (95.0 % against 95.5 %), which needs 490 MB a process and fifteen times as long. For Cyrillic
the letters that only one language has decide first: short Ukrainian and Russian texts differ in
little else.
"""

from __future__ import annotations

import re
from functools import cache

from py3langid.langid import LanguageIdentifier

from backend.privacy.lexicon import privacy_languages
from backend.system.languages import either

LANGUAGES = (
    *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it", "lt", "lv"),
    *("nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "ar", "he", "ja"),
    *("ko", "zh", "vi", "th", "id", "hi", "ka", "kk"),
)
_NO_WORDS = re.compile(
    r"https?://\S+|\S+@\S+|\[[A-Z_]{2,15}(?:_\d+)?\]|`[^`\n]*`|[\w./\\-]*[\d_/\\][\w./\\-]*"
)
_ONLY_UKRAINIAN, _ONLY_RUSSIAN = (
    re.compile(either(privacy_languages()[code].own_letters), re.IGNORECASE)
    for code in ("uk", "ru")
)
_CYRILLIC = re.compile(
    r"[\u0410-\u044f\u0401\u0451\u0404\u0454\u0406\u0456\u0407\u0457\u0490\u0491]"
)
_LATIN = re.compile(r"[a-zA-Z\u00c0-\u024f]")
_OTHER_CYRILLIC = re.compile("[ўЎјљњџђћѓќѕәғқңөұүһ]")
_NEAR_RUSSIAN = ("bg", "sr")  # what short Russian is taken for; no Bulgarian does without \u044a
_HARD_SIGN = "\u044a"
_ENOUGH_LETTERS = 12
_SURE = 0.5


def language_of(*texts: str) -> str:
    """The ISO 639-1 code of the first text that tells, or of all together; empty if none does.

    Give the question first and the answer after it: agents answer in the customer's language.
    """
    for text in (*texts, " ".join(texts)):
        if found := _language(_NO_WORDS.sub(" ", text[:4_000])):
            return found
    return ""


def _language(text: str) -> str:
    letters = len(_LATIN.findall(text))
    cyrillic = len(_CYRILLIC.findall(text))
    if cyrillic > letters and (found := _by_letters(text)):
        return found
    if letters + cyrillic < _ENOUGH_LETTERS and text.isascii():
        return ""
    language, sureness = _identifier().classify(text)
    if language in _NEAR_RUSSIAN and _HARD_SIGN not in text.lower():
        return "ru"
    return language if sureness >= _SURE else ""


def _by_letters(text: str) -> str:
    if _OTHER_CYRILLIC.search(text):
        return ""
    ukrainian = len(_ONLY_UKRAINIAN.findall(text))
    russian = len(_ONLY_RUSSIAN.findall(text))
    if ukrainian == russian:
        return ""
    return "uk" if ukrainian > russian else "ru"


@cache
def _identifier() -> LanguageIdentifier:
    found = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
    found.set_languages(LANGUAGES)
    return found
