"""JSONL files of articles and solved tickets: one JSON object a line, plain or in gzip."""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket
from backend.system.files import opened

Row = Mapping[str, Any]
Line = tuple[int, str]
Made = TypeVar("Made")


def read_rows(path: Path) -> Iterator[Row]:
    """The object of each line of a file. Raises BadInput, naming file and line."""
    return (row for _, row in rows_of(read_lines(path), path))


def read_lines(path: Path) -> Iterator[Line]:
    """Each line that is not empty, with its number. Raises BadInput if the file cannot be read."""
    number = 0
    try:
        with opened(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}, line {number} is not UTF-8. Save the file as UTF-8.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path} is a broken gzip file ({error}). Copy it anew.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def rows_of(lines: Iterable[Line], path: Path) -> Iterator[tuple[int, Row]]:
    """The object of each of these lines of a file. Raises BadInput, naming file and line."""
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise bad_line(path, number, f"this is no JSON ({error}).") from error
        if not isinstance(row, dict):
            raise bad_line(path, number, "this is no JSON object.")
        yield number, row


def made_of(make: Callable[[Row], Made], lines: Iterable[Line], path: Path) -> Iterator[Made]:
    """What `make` makes of each of these lines. Raises its BadInput with file and line."""
    for number, row in rows_of(lines, path):
        try:
            made = make(row)
        except BadInput as error:
            raise bad_line(path, number, error) from error
        yield made


def bad_line(path: Path, number: int, problem: object) -> BadInput:
    """What to say of a line that is wrong."""
    return BadInput(f"{path}, line {number}: {problem} Mend the line, then start the same again.")


def article_of(row: Row) -> Article | str:
    """The article in a row, or why there is none. Raises BadInput for a field of a wrong kind."""
    id_, title, body = _id(row), text_in(row, "title"), text_in(row, "body")
    if not title:
        return "article without a title"
    if not body:
        return "article without a body"
    return Article(
        id=id_,
        title=title,
        body=body,
        summary=text_in(row, "summary"),
        url=text_in(row, "url"),
        language=text_in(row, "language"),
        updated=text_in(row, "updated"),
    )


def solved_ticket_of(row: Row) -> SolvedTicket | str:
    """The solved ticket in a row, or why there is none: a question needs a letter or a digit.

    Raises BadInput for a field of a wrong kind.
    """
    id_, answer = _id(row), text_in(row, "answer")
    subject, question = text_in(row, "subject"), text_in(row, "question")
    if not any(character.isalnum() for character in subject + question):
        return "ticket without a question"
    if not answer:
        return "ticket without an answer"
    return SolvedTicket(
        id=id_,
        subject=subject,
        question=question,
        answer=answer,
        language=text_in(row, "language"),
        topic=text_in(row, "topic"),
        url=text_in(row, "url"),
        created=text_in(row, "created"),
        cited=_texts(row, "cited_articles"),
    )


def text_in(row: Row, name: str) -> str:
    """A field's text as it is kept; empty if there is none. Raises BadInput for another kind."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{name} is no text but {json.dumps(value)[:40]}.")
    return _clean(value)


def _id(row: Row) -> str:
    value = row.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if id_ := text_in(row, "id"):
        return id_
    raise BadInput("there is no id.")


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name) or []
    if not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        raise BadInput(f"{name} is no list of texts.")
    return tuple(_clean(text) for text in value)


def _clean(text: str) -> str:
    """What SQLite keeps and search compares: composed letters, no NUL, no half of a pair."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", whole).replace("\0", "").strip()
