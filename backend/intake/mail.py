"""Takes from a mail what its writer did not write for this mail.

Quoted mails, signatures, legal notes and the marks of devices go. Every cut is made only if words
remain: a text of which nothing would be left stays whole, so no customer's only sentence is lost.
All patterns meet single lines of bounded length, so the time is linear in the text.

mail-parser-reply brings such words for thirteen languages, and `languages/` has what it lacks. Its
own cutting is not used: it takes everything after the first line that begins with `Thanks,` or a
dash for a signature, so that whole questions vanish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from mailparser_reply.constants import MAIL_LANGUAGES

from backend.intake.html import tidy
from backend.system.languages import either, patterns, read_languages, together

_LONGEST_LINE = 400
_HEADER_LINES = 3
_SIGNATURE_LINES, _SIGNATURE_LINE = 14, 90
_LONGEST_MARKED_SIGNATURE = 1_500
_MARKS = ("--", "—", "––", "__")
_OPENING = 600  # characters in which an automatic reply says that it is one
_SYSTEM_SENDERS = (
    "mailer-daemon",
    "postmaster",
    "no-reply",
    "noreply",
    "do-not-reply",
    "donotreply",
)


@dataclass(frozen=True)
class IntakeWords:
    """The keys of `languages/*.toml`: words that tell what a mail and a message consist of."""

    wrote: tuple[str, ...] = patterns()
    """A line that announces a quoted mail: `On Monday, Ana wrote:`."""
    quoted_mail_titles: tuple[str, ...] = patterns()
    """What stands after dashes above a quoted mail: `---- Original message`."""
    quoted_mail_lines: tuple[str, ...] = patterns()
    """Other whole lines above a quoted mail."""
    forwarded_marks: tuple[str, ...] = patterns()
    """What tells that the mail below was forwarded, so that it is what the writer asks about."""
    sender_fields: tuple[str, ...] = patterns()
    """The first field of a quoted mail's header: `From`."""
    header_fields: tuple[str, ...] = patterns()
    """The other fields of such a header: `Sent`, `To`, `Subject`."""
    reply_marks: tuple[str, ...] = patterns()
    """What mail programs write before a subject: `Re`, `Fwd`."""
    external_marks: tuple[str, ...] = patterns()
    """What companies write in brackets before the subjects of other companies' mails."""
    closings: tuple[str, ...] = patterns()
    """A line with which a writer says good-bye, above the signature."""
    device_lines: tuple[str, ...] = patterns()
    """A line that a telephone or program adds: `Sent from my iPhone`."""
    legal_words: tuple[str, ...] = patterns()
    """Words of which a legal note at the end of a mail has two."""
    automatic_subjects: tuple[str, ...] = patterns()
    """How the subject of a mail begins that a machine wrote."""
    automatic_openings: tuple[str, ...] = patterns()
    """What stands in the first sentences of a mail that a machine wrote."""
    greetings_before_a_name: tuple[str, ...] = patterns()
    """How a greeting begins that cannot stand without the name: `Dear`."""
    please: tuple[str, ...] = patterns()
    """Words for `please` at the beginning of a wish."""
    polite_questions: tuple[str, ...] = patterns()
    """How a wish begins that is put as a question."""
    requests: tuple[str, ...] = patterns()
    """What an agent writes who asks the customer back."""
    wanted_deeds: tuple[str, ...] = patterns()
    """What an agent wants the customer to do: `send`, `paste`."""
    wanted_things: tuple[str, ...] = patterns()
    """What an agent wants to have: `logs`, `version`."""
    satisfied: tuple[str, ...] = patterns()
    """What a customer writes for whom it works now."""
    objections: tuple[str, ...] = patterns()
    """What tells that thanks are not the end of it: `but`, `still`."""
    courtesies: tuple[str, ...] = patterns()
    """How a sentence begins that neither asks nor tells."""
    pleasantries: tuple[str, ...] = patterns()
    """What an agent writes who only returns thanks."""
    pointers_elsewhere: tuple[str, ...] = patterns()
    """What an agent writes who closes a ticket in favour of another."""


@cache
def intake_words() -> IntakeWords:
    """The words of all languages together, read once."""
    return together(read_languages("backend.intake", IntakeWords).values(), IntakeWords)


def _library(key: str) -> Iterable[str]:
    """The entries of a table of mail-parser-reply in all its languages."""
    for tables in MAIL_LANGUAGES.values():
        found = tables.get(key, ())
        yield from [found] if isinstance(found, str) and found else found


def _any(*pieces: str, start: str = r"^", end: str = r"$") -> re.Pattern[str]:
    return re.compile(f"{start}{either(pieces)}{end}", re.IGNORECASE)


_WORDS = intake_words()
_DATED = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.{3,300}<[^<>\s]{3,200}>\s?:"
_WROTE = (
    *(re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _library("wrote_header")),
    _any(_DATED, *_WORDS.wrote, start=r"^[>\s*]*"),
)
_SEPARATOR = _any(
    rf"[-_=* ]{{2,}}\s?{either(_WORDS.quoted_mail_titles)}\b.{{0,80}}",
    *_WORDS.quoted_mail_lines,
    r"_{20,}",
    start=r"^[>\s]*",
    end=r"\s*$",
)
_FORWARD = re.compile(either(_WORDS.forwarded_marks), re.IGNORECASE)
_FIRST_FIELD = _any(*_WORDS.sender_fields, start=r"^[>\s*]*", end=r"\s?:\*?\s*\S")
_FIELD = _any(*_WORDS.sender_fields, *_WORDS.header_fields, start=r"^[>\s*]*", end=r"\s?:")
_CLOSING = _any(
    *_WORDS.closings,
    *(closing.rstrip(",") for closing in _library("signatures") if not closing.startswith("/")),
    start=r"^\s*",
    end=r"(?:\s*[,.!;:)\-\u2013\u2014]*\s*|,? .{0,40})$",
)
_PURE_CLOSING = _any(*_WORDS.closings, start=r"^\s*", end=r"\s*[,.!;:)\-\u2013\u2014\s]*$")
_DEVICE = _any(*_WORDS.device_lines, start=r"^[\s*_-]*", end=r"[.!]?\s*$")
_LEGAL = re.compile(either(_WORDS.legal_words), re.IGNORECASE)
_LEGAL_START = _any(*_library("disclaimers"), start=r"^[\s*_]*", end=r"")
_AUTOMATIC_SUBJECT = re.compile(either(_WORDS.automatic_subjects), re.IGNORECASE)
_AUTOMATIC_BODY = re.compile(either(_WORDS.automatic_openings), re.IGNORECASE)
_REPLY_MARKS = re.compile(
    rf"^\s*(?:{either(_WORDS.reply_marks)}(?:\[\d+\])?\s?:"
    r"|\[#{1,2}[\w -]{0,20}\d+\s?#{0,2}\]|##[\w -]{0,20}\d+\s?##"
    rf"|\[{either(_WORDS.external_marks)}\])\s*",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """The mail without what it quotes, its signature, legal notes and device marks.

    Stripping the result again changes nothing.
    """
    known, plain = "", tidy(text)
    while plain != known:
        known = plain
        for cut in (_without_quotes, _without_legal_notes, _without_signature):
            plain = _kept(cut, plain)
    return plain


def plain_subject(subject: str) -> str:
    """The subject in one line without `Re:`, `Fwd:`, their translations and ticket numbers."""
    known, plain = "", " ".join(subject[:_LONGEST_LINE].split())
    while plain != known:
        known, plain = plain, _REPLY_MARKS.sub("", plain)
    return plain


def is_automatic(subject: str, text: str, sender: str = "") -> bool:
    """Whether a machine wrote it: an absence note, a receipt, or a mail that came back."""
    return (
        bool(_AUTOMATIC_SUBJECT.match(plain_subject(subject)))
        or sender.lower().startswith(_SYSTEM_SENDERS)
        or bool(_AUTOMATIC_BODY.search(" ".join(text[:_OPENING].split())))
    )


def _kept(cut: Callable[[list[str]], list[str]], text: str) -> str:
    left = tidy("\n".join(cut(text.split("\n"))))
    return left if any(character.isalnum() for character in left) else text


def _without_quotes(lines: list[str]) -> list[str]:
    header, length = _quote_header(lines)
    if header is None:
        return _without_quoted_end(lines)
    above, below = lines[:header], lines[header + length :]
    if _FORWARD.search(lines[header][:_LONGEST_LINE]):
        return [*above, "", *_without_fields(below)]
    first = next((line for line in below if line.strip()), "")
    answered_below = first.lstrip().startswith(">")
    own_below = [line for line in below if not line.lstrip().startswith(">")]
    if _has_words(above):
        return [*above, *own_below] if answered_below else above
    return own_below if answered_below and _has_words(own_below) else lines


def _quote_header(lines: Sequence[str]) -> tuple[int | None, int]:
    """Where the first quoted mail is announced, and by how many lines."""
    for place, line in enumerate(lines):
        if not line.strip() or len(line) > _LONGEST_LINE:
            continue
        if _SEPARATOR.match(line):
            return place, 1
        if _FIRST_FIELD.match(line) and (fields := _fields(lines, place)) >= _HEADER_LINES:
            return place, fields
        if length := _wrote(lines, place):
            return place, length
    return None, 0


def _wrote(lines: Sequence[str], place: int) -> int:
    """How many lines, from this one, say that somebody wrote; mail programs wrap that sentence."""
    joined = ""
    for length in range(1, _HEADER_LINES + 1):
        if place + length > len(lines) or not lines[place + length - 1].strip():
            return 0
        joined = f"{joined} {lines[place + length - 1].strip()}".strip()
        if len(joined) > _LONGEST_LINE:
            return 0
        if joined.endswith((":", "-", "：")) and any(pattern.match(joined) for pattern in _WROTE):
            return length
    return 0


def _fields(lines: Sequence[str], place: int) -> int:
    """How many header fields stand here in a row; a line between two may be a wrapped one."""
    last, found = place, 0
    for step in range(place, min(place + 10, len(lines))):
        if _FIELD.match(lines[step][:_LONGEST_LINE]):
            last, found = step, found + 1
        elif step - last > 1:
            break
    return last - place + 1 if found >= _HEADER_LINES else 0


def _without_fields(lines: list[str]) -> list[str]:
    """A forwarded mail is what the writer wants to be read: only its header goes."""
    start = next((place for place, line in enumerate(lines) if line.strip()), 0)
    return lines[start + _fields(lines, start) :]


def _without_quoted_end(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return lines[:end]


def _without_legal_notes(lines: list[str]) -> list[str]:
    """Without the paragraphs at the end that only a lawyer wrote."""
    paragraphs = "\n".join(lines).split("\n\n")
    while len(paragraphs) > 1 and _is_legal(paragraphs[-1]):
        paragraphs.pop()
    return "\n\n".join(paragraphs).split("\n")


def _is_legal(paragraph: str) -> bool:
    opening = paragraph[:2_000]
    words = {found.lower() for found in _LEGAL.findall(opening)}
    return len(words) >= 2 or (bool(_LEGAL_START.match(opening)) and bool(words))


def _without_signature(lines: list[str]) -> list[str]:
    below, first = 0, _first_words(lines)
    for place in range(len(lines) - 1, first, -1):
        if lines[place].strip() in _MARKS:
            return lines[:place]
        below += len(lines[place]) + 1
        if below > _LONGEST_MARKED_SIGNATURE:
            break
    kept = [line for line in lines if not (len(line) <= 120 and _DEVICE.match(line))]
    return _without_closing(kept)


def _without_closing(lines: list[str]) -> list[str]:
    """Without the regards and the few short lines after them, if these ask and tell nothing."""
    for place in range(max(len(lines) - _SIGNATURE_LINES, _first_words(lines) + 1), len(lines)):
        line = lines[place]
        if len(line) > _SIGNATURE_LINE or not _CLOSING.match(line):
            continue
        below = [line for line in lines[place + 1 :] if line.strip()]
        alone = not below or bool(_PURE_CLOSING.match(line))
        if alone and all(map(_in_signature, below)):
            return lines[:place]
    return lines


def _in_signature(line: str) -> bool:
    return len(line) <= _SIGNATURE_LINE and not line.rstrip().endswith(("?", ":", ";"))


def _has_words(lines: Sequence[str]) -> bool:
    return _first_words(lines) < len(lines)


def _first_words(lines: Sequence[str]) -> int:
    """The first line with a letter or digit."""
    worded = (place for place, line in enumerate(lines) if any(map(str.isalnum, line)))
    return next(worded, len(lines))
