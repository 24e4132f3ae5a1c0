"""What the help desk knows already: articles and solved tickets, and how they become passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from backend.domain.errors import BadInput

PASSAGE_CHARACTERS = 900
_MARKDOWN = (
    (re.compile(r"(?m)^#{1,6}\s+"), ""),
    (re.compile(r"!\[([^\]\n]{0,200})\]\([^()\s]{0,500}\)"), r"\1"),
    (re.compile(r"\[([^\]\n]{1,200})\]\(([^()\s]{1,500})\)"), r"\1 (\2)"),
    (re.compile(r"\*\*(?=\S)([^\n]{1,300}?)(?<=\S)\*\*"), r"\1"),
    (re.compile(r"`([^`\n]{1,300})`"), r"\1"),
)
_HEADING = re.compile(
    r"#{1,6}\s+\S"  # ## Markdown
    r"|\d+(\.\d+)+[.)]?\s+\S"  # 2.1 A numbered section
    r"|\d+[.)]?\s+[^.!?:;]{1,80}$(?!\n)"  # 2. A numbered title, alone between blank lines
)
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`]+")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True)
class Passage:
    """A part of an article or of a solved ticket that can stand in a prompt."""

    key: str
    kind: Literal["article", "solved"]
    title: str
    text: str
    url: str = ""
    score: float = 0.0


@dataclass(frozen=True)
class Article:
    """A page of the knowledge base. Its body is plain text or Markdown."""

    id: str
    title: str
    body: str
    summary: str = ""
    url: str = ""
    language: str = ""
    updated: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "title", "body"):
            if not getattr(self, name).strip():
                raise BadInput(f"An article needs {_a(name)}; this one ({self.id!r}) has none.")


@dataclass(frozen=True)
class SolvedTicket:
    """A request and the answer that a person sent to it.

    `cited` holds ids or addresses of articles; those linked in the answer need not be repeated.
    """

    id: str
    question: str
    answer: str
    subject: str = ""
    language: str = ""
    topic: str = ""
    url: str = ""
    created: str = ""
    cited: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("id", "answer"):
            if not getattr(self, name).strip():
                raise BadInput(
                    f"A solved ticket needs {_a(name)}; this one ({self.id!r}) has none."
                )
        if not self.asked:
            raise BadInput(
                f"A solved ticket needs a subject or a question; this one ({self.id!r}) has none."
            )

    @property
    def asked(self) -> str:
        """Subject and question as one piece, as a ticket's text is read everywhere else."""
        return "\n\n".join(part for part in (self.subject.strip(), self.question.strip()) if part)

    @property
    def references(self) -> tuple[str, ...]:
        """Ids and addresses of all articles that the answer points to, each once."""
        linked = (_bare(address) for address in _ADDRESS.findall(self.answer))
        return tuple(dict.fromkeys((*self.cited, *linked)))


def article_passages(article: Article, *, characters: int = PASSAGE_CHARACTERS) -> list[Passage]:
    """The article cut into passages of about `characters`, each under the article's title.

    Whole sections (by headings) stand together while they fit; a longer one is cut between
    paragraphs, and a longer paragraph between lines or sentences. The summary opens the first.
    """
    summary = article.summary.strip()
    opening = f"{summary}\n\n" if summary and summary[:40] not in article.body[:200] else ""
    sections = [
        piece
        for section in _sections(opening + article.body)
        for piece in _packed(_small(section, characters), characters)
    ]
    return [
        Passage(
            key=f"article:{article.id}#{number}",
            kind="article",
            title=article.title.strip(),
            text=plain(text),
            url=article.url,
        )
        for number, text in enumerate(_packed(sections, characters), start=1)
    ]


def plain(text: str) -> str:
    """The text without Markdown's marks: a reply is plain text, and marks cost tokens to read.

    Headings and emphasis lose their marks, links keep words and address, pictures their words.
    """
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return text.strip()


def solved_passage(ticket: SolvedTicket) -> Passage:
    """The answer of a solved ticket under its subject, or under the beginning of its question."""
    return Passage(
        key=f"solved:{ticket.id}",
        kind="solved",
        title=ticket.subject.strip() or ticket.asked.splitlines()[0][:80],
        text=ticket.answer.strip(),
        url=ticket.url,
    )


def _sections(body: str) -> Iterator[list[str]]:
    section: list[str] = []
    for paragraph in _paragraphs(body):
        if _HEADING.match(paragraph) and section:
            yield section
            section = []
        section.append(paragraph)
    if section:
        yield section


def _paragraphs(body: str) -> Iterator[str]:
    separated = re.sub(r"(?m)^(#{1,6}\s)", r"\n\1", body.replace("\r\n", "\n"))
    for paragraph in re.split(r"\n[ \t]*\n", separated):
        if paragraph.strip():
            yield paragraph.strip()


def _small(paragraphs: Iterable[str], characters: int) -> Iterator[str]:
    for paragraph in paragraphs:
        lines = (piece for line in paragraph.split("\n") for piece in _short(line, characters))
        yield from _packed(lines, characters, between="\n")


def _short(line: str, characters: int) -> list[str]:
    if len(line) <= characters:
        return [line]
    sentences = (
        sentence[start : start + characters]
        for sentence in _SENTENCE_END.split(line)
        for start in range(0, len(sentence), characters)
    )
    return _packed(sentences, characters, between=" ")


def _packed(pieces: Iterable[str], characters: int, between: str = "\n\n") -> list[str]:
    packed: list[str] = []
    for piece in pieces:
        if not piece.strip():
            continue
        if packed and len(packed[-1]) + len(between) + len(piece) <= characters:
            packed[-1] += between + piece
        else:
            packed.append(piece)
    return packed


def _bare(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/.,;:!")


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
