"""`suggest-answer redact`: personal data out of texts, on demand."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from backend.cli.shared import Start
from backend.domain.errors import BadInput
from backend.privacy import Span
from backend.privacy.detect import find, recogniser_named
from backend.privacy.detect.known import Known
from backend.privacy.placeholders import Placeholders

_TEXT_FIELDS = frozenset(
    {"text", "subject", "question", "answer", "body", "title", "summary", "content", "description"}
)


@click.command()
@click.argument("files", nargs=-1, type=click.File("r", encoding="utf-8"))
@click.option("--language", default="", help="Such as uk or de; without it the text is looked at.")
@click.option("--contact-name", multiple=True, help="Whom the texts are about: name or mail.")
@click.option("--map", "map_file", type=click.Path(path_type=Path), help="Write what is hidden.")
@click.option("--show", is_flag=True, help="Mark what was found, and say why; hides nothing.")
@click.pass_obj
def redact(
    start: Start,
    files: tuple[IO[str], ...],
    language: str,
    contact_name: tuple[str, ...],
    map_file: Path | None,
    show: bool,
) -> None:
    """Print texts with placeholders such as [NAME_1] for personal data.

    Reads FILE…, or standard input. JSONL is taken line by line: each row is a ticket with a
    numbering of its own, and its texts (text, subject, question, answer, body, title, summary,
    content, description) are redacted; other fields stay as they are, and rows with records
    inside are refused.
    Anything else is one text. --map keeps the values in a private file: as secret as the texts.
    """
    known = Known(
        names=tuple(contact for contact in contact_name if "@" not in contact),
        emails=tuple(contact for contact in contact_name if "@" in contact),
        language=language,
    )
    recogniser = recogniser_named(start.settings().privacy.recogniser)
    maps: list[dict[str, str]] = []
    for file in files or (click.open_file("-", encoding="utf-8"),):
        for piece in _pieces(file):
            if show:
                for text in _texts(piece):
                    click.echo(_marked(text, find(text, known, recogniser=recogniser)))
                continue
            placeholders = Placeholders(known, recogniser=recogniser)
            click.echo(_redacted(piece, placeholders), nl=not isinstance(piece, str))
            maps.append(placeholders.values())
    if map_file:
        _keep(map_file, maps)


def _pieces(file: IO[str]) -> Iterator[str | dict[str, Any]]:
    """A file's rows, if it is named .jsonl or begins with a JSON object, else its text."""
    name, first = file.name, file.readline()
    if not (name.endswith(".jsonl") or _row(first) is not None):
        yield first + file.read()
        return
    for number, line in enumerate(itertools.chain([first], file), 1):
        row = _row(line)
        if row is None:
            raise BadInput(f"{name}, line {number} is no JSON object. Every line has to be one.")
        if inside := [field for field, value in row.items() if _holds_rows(value)]:
            raise BadInput(
                f"{name}, line {number} holds records inside `{inside[0]}`, which would stay as "
                "they are. An export of Zoho is redacted by `import --zoho` and by `trainer "
                "prepare --zoho`; give other files as rows of texts."
            )
        yield row


def _holds_rows(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    )


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _texts(piece: str | dict[str, Any]) -> Iterator[str]:
    if isinstance(piece, str):
        yield piece
        return
    for field, value in piece.items():
        if field in _TEXT_FIELDS and isinstance(value, str):
            yield value


def _redacted(piece: str | dict[str, Any], placeholders: Placeholders) -> str:
    if isinstance(piece, str):
        return placeholders.redact(piece)
    row = {
        field: placeholders.redact(value)
        if field in _TEXT_FIELDS and isinstance(value, str)
        else value
        for field, value in piece.items()
    }
    return json.dumps(row, ensure_ascii=False)


def _marked(text: str, spans: list[Span]) -> str:
    """The text with its finds between ⟦ and ⟧, then a line for each with label and reason."""
    parts, end = [], 0
    for span in spans:
        parts += [text[end : span.start], f"⟦{span.label}: {span.value}⟧"]
        end = span.end
    reasons = [f"  {span.label:<13} {span.value!r}: {span.why}" for span in spans]
    return "\n".join(["".join(parts) + text[end:], *reasons])


def _keep(path: Path, maps: list[dict[str, str]]) -> None:
    """Writes one JSON object a text, readable by its owner only."""
    lines = "".join(json.dumps(values, ensure_ascii=False) + "\n" for values in maps)
    try:
        with open(path, "w", encoding="utf-8", opener=_for_owner_only) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(lines)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}. Name another file.") from error


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
