"""A larger recogniser from the settings: asked last, it can add and never take away."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.domain.errors import BadSettings
from backend.privacy import Span
from backend.privacy.detect import find, recogniser_named
from backend.privacy.placeholders import Placeholders

SHIPS = """
import re
from backend.privacy import Span

def recogniser():
    ships = re.compile(r"\\b(?:Nostromo|Rocinante)\\b")
    return lambda text: [Span(*m.span(), "NAME", m.group(), "a ship") for m in ships.finditer(text)]
"""


def test_one_that_an_admin_installed_adds_what_the_rules_do_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ships_of_the_house.py").write_text(SHIPS)
    monkeypatch.syspath_prepend(tmp_path)

    placeholders = Placeholders(recogniser=recogniser_named("ships_of_the_house:recogniser"))

    redacted = placeholders.redact("The crew of the Nostromo wrote from a@example.org")
    assert redacted == "The crew of the [NAME_1] wrote from [EMAIL_1]"
    assert placeholders.restore("Dear [NAME_1]") == "Dear Nostromo"


def test_what_was_found_before_stays_as_it_was() -> None:
    def greedy(text: str) -> list[Span]:
        return [Span(0, len(text), "SECRET", text, "everything")]

    (span,) = find("a@example.org", recogniser=greedy)

    assert span.label == "EMAIL"


def test_no_name_is_no_recogniser() -> None:
    assert recogniser_named("") is None


@pytest.mark.parametrize("name", ["no_such_module:make", "re:nothing", "re", ":", "re:compile"])
def test_a_recogniser_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(BadSettings, match=r"privacy\.recogniser"):
        recogniser_named(name)
