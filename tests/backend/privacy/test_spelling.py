"""Names in several spellings and cases."""

from __future__ import annotations

import pytest

from backend.privacy.lexicon import key, role, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Коваленко", "Коваленку"),
        ("Kovalenko", "Коваленком"),
        ("Ольга", "Ользі"),
        ("Olha", "Ольгою"),
        ("Сергій", "Сергею"),
        ("Serhii", "Сергія"),
        ("Жуковський", "Zhukovskyi"),
        ("Иванова", "Ивановой"),
        ("Yuliia", "Юлії"),
        ("Müller", "Mueller"),
        ("Łukasz", "Lukasz"),
        ("Щербань", "Shcherban"),
    ],
)
def test_forms_of_a_name_have_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Peter", "Petra Müller"), ("Anton", "Anna"), ("Koval", "Kowalski")]
)
def test_other_names_have_another(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_what_has_no_letters_has_no_key() -> None:
    assert key("123 !") == ""


def test_the_two_slavic_languages_have_their_own_dictionaries() -> None:
    assert role("Тарасові", russian=False).first
    assert role("Светлане", russian=True).first
    assert role("Замовлення", russian=False).word
    assert not role("Замовлення", russian=False).first
    assert role("Гриценко", russian=False).last
