"""Takes from a mail what its writer did not write for this mail.

Quoted mails, signatures, legal notes and the marks of devices go. Every cut is made only if words
remain: a text of which nothing would be left stays whole, so no customer's only sentence is lost.
All patterns meet single lines of bounded length, so the time is linear in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.cleaning.mail_words import (
    AUTOMATIC_BODY,
    AUTOMATIC_SUBJECT,
    CLOSING,
    DEVICE,
    FIELD,
    FIRST_FIELD,
    FORWARD,
    LEGAL,
    LEGAL_START,
    PURE_CLOSING,
    REPLY_MARKS,
    SEPARATOR,
    WROTE,
)
from backend.cleaning.markup import tidy

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
        known, plain = plain, REPLY_MARKS.sub("", plain)
    return plain


def is_automatic(subject: str, text: str, sender: str = "") -> bool:
    """Whether a machine wrote it: an absence note, a receipt, or a mail that came back."""
    return (
        bool(AUTOMATIC_SUBJECT.match(plain_subject(subject)))
        or sender.lower().startswith(_SYSTEM_SENDERS)
        or bool(AUTOMATIC_BODY.search(" ".join(text[:_OPENING].split())))
    )


def _kept(cut: Callable[[list[str]], list[str]], text: str) -> str:
    left = tidy("\n".join(cut(text.split("\n"))))
    return left if any(character.isalnum() for character in left) else text


def _without_quotes(lines: list[str]) -> list[str]:
    header, length = _quote_header(lines)
    if header is None:
        return _without_quoted_end(lines)
    above, below = lines[:header], lines[header + length :]
    if FORWARD.search(lines[header][:_LONGEST_LINE]):
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
        if SEPARATOR.match(line):
            return place, 1
        if FIRST_FIELD.match(line) and (fields := _fields(lines, place)) >= _HEADER_LINES:
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
        if joined.endswith((":", "-", "：")) and any(one.match(joined) for one in WROTE):
            return length
    return 0


def _fields(lines: Sequence[str], place: int) -> int:
    """How many header fields stand here in a row; a line between two may be a wrapped one."""
    last, found = place, 0
    for step in range(place, min(place + 10, len(lines))):
        if FIELD.match(lines[step][:_LONGEST_LINE]):
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
    words = {found.lower() for found in LEGAL.findall(opening)}
    return len(words) >= 2 or (bool(LEGAL_START.match(opening)) and bool(words))


def _without_signature(lines: list[str]) -> list[str]:
    below, first = 0, _first_words(lines)
    for place in range(len(lines) - 1, first, -1):
        if lines[place].strip() in _MARKS:
            return lines[:place]
        below += len(lines[place]) + 1
        if below > _LONGEST_MARKED_SIGNATURE:
            break
    kept = [line for line in lines if not (len(line) <= 120 and DEVICE.match(line))]
    return _without_closing(kept)


def _without_closing(lines: list[str]) -> list[str]:
    """Without the regards and the few short lines after them, if these ask and tell nothing."""
    for place in range(max(len(lines) - _SIGNATURE_LINES, _first_words(lines) + 1), len(lines)):
        line = lines[place]
        if len(line) > _SIGNATURE_LINE or not CLOSING.match(line):
            continue
        below = [one for one in lines[place + 1 :] if one.strip()]
        alone = not below or bool(PURE_CLOSING.match(line))
        if alone and all(_in_signature(one) for one in below):
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
