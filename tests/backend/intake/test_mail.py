"""Mails: what was written for this one stays; quotes, signatures and legal notes go."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.intake.html import text_of_html
from backend.intake.mail import is_automatic, own_words, plain_subject

OWN = "It still shows error 5.\n\nWhat can I do?"
QUOTED = [
    "On Mon, 3 Jun 2024 at 10:02, Jade Tan <jade@acme.example> wrote:\n> Please open\n> now",
    "On Mon, 3 Jun 2024 at 10:02, Jade Tan\n<jade@acme.example> wrote:\n\nPlease open Settings",
    "Am 03.06.2024 um 10:02 schrieb Jade Tan:\n> Bitte öffnen",
    "Von: Jade Tan <jade@acme.example>\nGesendet: Montag, 3. Juni 2024 10:02\nAn: Ana\n"
    "Betreff: AW: Login\n\nBitte öffnen",
    "From: Jade Tan <jade@acme.example>\nSent: Monday\nTo: Ana\nSubject: Login\n\nPlease open",
    "*From:* Jade Tan <jade@acme.example>\n*Sent:* Monday\n*To:* Ana\n*Subject:* Login\n\nPlease",
    "пн, 3 черв. 2024 р. о 10:02 Jade Tan <jade@acme.example> пише:\n> Відкрийте",
    "пн, 3 июн. 2024 г. в 10:02, Jade Tan <jade@acme.example>:\n> Откройте",
    "3 июня 2024 г., в 10:02, Jade Tan <jade@acme.example> написал(а):\n\nОткройте",
    "03.06.2024 10:02, Jade Tan пише:\n> Відкрийте",
    "Від: Jade Tan <jade@acme.example>\nНадіслано: 3 червня 2024\nКому: Ana\nТема: Вхід\n\nТак",
    "От: Jade Tan <jade@acme.example>\nОтправлено: 3 июня\nКому: Ana\nТема: Вход\n\nОткройте",
    "Le lun. 3 juin 2024 à 10:02, Jade <jade@acme.example> a écrit :\n> Ouvrez",
    "El lun, 3 jun 2024 a las 10:02, Jade (<jade@acme.example>) escribió:\n> Abra",
    "---- On Mon, 03 Jun 2024 10:02:11 +0200 Jade <jade@acme.example> wrote ----\n\nPlease",
    "-----Original Message-----\nplease open",
    "-------- Исходное сообщение --------\nоткройте",
    "-------- Ursprüngliche Nachricht --------\nbitte öffnen",
    "________________________________\nFrom: Jade\nplease",
    "> Please open Settings\n> and press the button",
]
SIGNED = [
    "Best regards,\nAna Diaz\nACME GmbH\nTel: +49 30 123456",
    "Mit freundlichen Grüßen\n\nHans Meier",
    "Viele Grüße\nHans",
    "З повагою,\nОлена Шевченко\nБухгалтер\n+380 44 123 45 67",
    "З найкращими побажаннями\nОлена",
    "С уважением,\nИван Петров",
    "Заранее спасибо!\nИван",
    "Дякую!",
    "Thanks",
    "--\nAna\nhttps://customer.example",
    "Sent from my iPhone",
    "Надіслано з iPhone",
    "Отправлено с iPhone",
    "Von meinem iPhone gesendet",
    "Cordialement,\nAna",
    "This e-mail and any attachments are confidential and intended only for the recipient.",
    "Disclaimer: the sender is not responsible for any virus in this mail.",
    "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der Empfänger sind, bitte "
    "vernichten.",
    "Це повідомлення є конфіденційним і призначене лише для адресата.",
    "Данное письмо конфиденциально и предназначено только для адресата.",
]


@pytest.mark.parametrize("below", QUOTED, ids=lambda text: text[:24])
def test_quoted_mails_go(below: str) -> None:
    assert own_words(f"{OWN}\n\n{below}") == OWN


@pytest.mark.parametrize("below", SIGNED, ids=lambda text: text[:24])
def test_signatures_and_legal_notes_go(below: str) -> None:
    assert own_words(f"{OWN}\n\n{below}") == OWN


@pytest.mark.parametrize(
    "text",
    [
        "Thanks,\nbut it still does not work. I get error 5.\n\nWhat now?",
        "- first item\n- second item\n\nCan you help with these?",
        "I clicked and then it wrote:\nError 55 occurred\nWhat should I do?",
        "From: my computer\nTo: my phone\nhow do I sync?",
        "С уважением\nИван",
        "> quoted only",
        "Вітаю, програма пише:\nпомилка 5",
        "My signature block is lost. It used to be like this.\n\nHow do I get it back?",
        "The file is confidential. How do I lock it?",
    ],
)
def test_what_the_writer_said_stays(text: str) -> None:
    assert own_words(text) == text


def test_answers_between_quoted_lines_stay() -> None:
    text = "On 3 Jun Jade wrote:\n> did you restart?\nYes I did.\n> which version?\n115.6"

    assert own_words(text) == "Yes I did.\n115.6"


def test_a_forwarded_mail_is_what_the_writer_asks_about() -> None:
    text = (
        "See below\n\n---------- Forwarded message ---------\nFrom: X <x@y.example>\nDate: Mon\n"
        "Subject: hi\nTo: me\n\nI cannot log in"
    )

    assert own_words(text) == "See below\n\nI cannot log in"


def test_a_mail_in_html_loses_its_quote_too() -> None:
    source = (
        "<div>It works, thanks</div><div class='gmail_quote'><div>On Mon, Jade &lt;j@x.example&gt; "
        "wrote:<br></div><blockquote>Please open <b>Settings</b></blockquote></div>"
    )

    assert own_words(text_of_html(source)) == "It works, thanks"


@pytest.mark.parametrize(
    ("subject", "plain"),
    [
        ("Re: AW: [##101##] Login", "Login"),
        ("Відп: Re: Питання", "Питання"),
        ("FW: Отв: вопрос", "вопрос"),
        ("RE:", ""),
        ("[#123] Hello", "Hello"),
        ("Regarding: my re: mail", "Regarding: my re: mail"),
        ("5 licences", "5 licences"),
    ],
)
def test_subjects_lose_their_marks(subject: str, plain: str) -> None:
    assert plain_subject(subject) == plain


@pytest.mark.parametrize(
    ("subject", "text", "sender"),
    [
        ("Automatic reply: Login", "", ""),
        ("Re: Автоматична відповідь: Вхід", "", ""),
        ("Abwesenheitsnotiz: Urlaub", "", ""),
        ("Login", "I am currently out of the office until Monday.", ""),
        ("Login", "Вітаємо! Ваше звернення отримано, номер 5.", ""),
        ("Login", "Ваша заявка принята и зарегистрирована.", ""),
        ("Login", "Thank you! Your request has been received, ticket id 77.", ""),
        ("Returned mail", "", ""),
        ("x", "y", "MAILER-DAEMON@x.example"),
    ],
)
def test_machines_are_known(subject: str, text: str, sender: str) -> None:
    assert is_automatic(subject, text, sender)


@pytest.mark.parametrize(
    "text",
    [
        "How do I set an automatic reply?",
        "I received your message, but the link is dead.",
        "Я не отримав лист",
        "We have received no mail since Monday.",
    ],
)
def test_people_are_no_machines(text: str) -> None:
    assert not is_automatic("Question about out of office notes", text, "ana@x.example")


pieces = st.sampled_from([*QUOTED, *SIGNED, OWN, "Hello", "Yes.", "> a", "", "--", "- x", "wrote:"])
mails = st.lists(st.one_of(pieces, st.text(max_size=40)), max_size=6).map("\n".join)


@given(mails)
def test_stripping_twice_changes_nothing(text: str) -> None:
    assert own_words(own_words(text)) == own_words(text)


@given(mails)
def test_words_never_become_none(text: str) -> None:
    had = any(character.isalnum() for character in text)

    assert any(character.isalnum() for character in own_words(text)) is had


@given(st.text(st.characters(categories=["Ll"]), min_size=3, max_size=60), pieces)
def test_the_only_sentence_of_the_customer_is_kept(sentence: str, below: str) -> None:
    asked = f"Question {sentence} please?"

    assert asked in own_words(f"{asked}\n\n{below}")


@pytest.mark.parametrize(
    "text",
    ["On a\n" * 50_000, "From: x\n" * 25_000, "wrote:\n" * 28_000, "--\n" * 60_000, "> " * 99_000],
)
def test_hostile_mails_take_seconds_at_most(text: str) -> None:
    start = time.thread_time()

    own_words(text)

    assert time.thread_time() - start < 5
